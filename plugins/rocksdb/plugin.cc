#include <memory>

#include "engine/plugin_api.h"
#include "plugins/rocksdb/rocksdb_engine.h"

namespace ringwright {
namespace {

void add_parts(Registry& registry) {
  registry.add<StorageEngine>("rocksdb", [] { return std::make_unique<RocksdbEngine>(); });
}

constexpr PluginManifest manifest{
    plugin_magic, plugin_interface_version, plugin_abi, "rocksdb", "Apache-2.0", add_parts};

}  // namespace
}  // namespace ringwright

extern "C" __attribute__((visibility("default"))) const ringwright::PluginManifest*
ringwright_plugin() {
  return &ringwright::manifest;
}
