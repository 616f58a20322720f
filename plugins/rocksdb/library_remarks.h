#pragma once

#include <string>
#include <vector>

namespace ringwright {

// What a reader of RocksDB's figures must know of the library that this process really loaded: how
// it was built decides its speed more than most options do. Looked up in the library itself, not in
// the headers that the plugin was compiled with. What cannot be told is said.
std::vector<std::string> rocksdb_library_remarks();

// The same of any library file that is loaded already; for tests.
std::vector<std::string> remarks_on_rocksdb(const std::string& library_path,
                                            const std::string& loaded_version);

}  // namespace ringwright
