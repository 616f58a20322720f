#pragma once

#include <rocksdb/env.h>

#include <memory>
#include <string>

namespace ringwright {

// RocksDB's own messages, in the file LOG of a directory that exists; a full one becomes LOG.old,
// so the two together take at most twice `bytes_max`.
//
// Takes the place of RocksDB's logger, because that one must not be used again after a write that
// failed: a build of the library with assertions, as Debian's is, ends the process then. This one
// drops what it cannot write. Null when the file cannot be opened.
std::shared_ptr<rocksdb::Logger> make_info_log(const std::string& directory, std::size_t bytes_max,
                                               rocksdb::InfoLogLevel level);

}  // namespace ringwright
