#include <wiredtiger.h>

#include <memory>

#include "engine/plugin_api.h"
#include "plugins/wiredtiger/wiredtiger_engine.h"

namespace ringwright {
namespace {

void add_parts(Registry& registry) {
  registry.add<StorageEngine>("wiredtiger", [] { return std::make_unique<WiredtigerEngine>(); });
}

}  // namespace
}  // namespace ringwright

// What links WiredTiger is under the GPL as a whole: this file is a library of its own, which
// nothing links.
RINGWRIGHT_PLUGIN(.name = "wiredtiger", .version = RINGWRIGHT_VERSION,
                  .library = "WiredTiger " RW_STRINGIFY(WIREDTIGER_VERSION_MAJOR) "." RW_STRINGIFY(
                      WIREDTIGER_VERSION_MINOR) "." RW_STRINGIFY(WIREDTIGER_VERSION_PATCH),
                  .licence = "GPL-2.0-or-later", .add_parts = ringwright::add_parts);
