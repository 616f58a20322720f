#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ringwright {

class Registry;

// What must be printed beside every figure of the engine that `description` names: the remarks of
// the plugins that brought it and its decorators, each "rocksdb: RocksDB 7.8.3 ...". Only of parts
// that are loaded, so ask once the engine is made.
std::vector<std::string> engine_remarks(const Registry& registry, std::string_view description);

}  // namespace ringwright
