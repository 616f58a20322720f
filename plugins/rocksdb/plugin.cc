#include <rocksdb/version.h>

#include <memory>

#include "engine/plugin_api.h"
#include "plugins/rocksdb/library_remarks.h"
#include "plugins/rocksdb/rocksdb_engine.h"

namespace ringwright {
namespace {

void add_parts(Registry& registry) {
  registry.add<StorageEngine>("rocksdb", [] { return std::make_unique<RocksdbEngine>(); });
}

}  // namespace
}  // namespace ringwright

RINGWRIGHT_PLUGIN(.name = "rocksdb", .version = RINGWRIGHT_VERSION,
                  .library = "RocksDB " RW_STRINGIFY(ROCKSDB_MAJOR) "." RW_STRINGIFY(
                      ROCKSDB_MINOR) "." RW_STRINGIFY(ROCKSDB_PATCH),
                  .licence = "Apache-2.0", .add_parts = ringwright::add_parts,
                  .remarks = ringwright::rocksdb_library_remarks);
