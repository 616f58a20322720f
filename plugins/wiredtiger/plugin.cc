#include <memory>

#include "engine/plugin_api.h"
#include "plugins/wiredtiger/wiredtiger_engine.h"

namespace ringwright {
namespace {

void add_parts(Registry& registry) {
  registry.add<StorageEngine>("wiredtiger", [] { return std::make_unique<WiredtigerEngine>(); });
}

// What links WiredTiger is GPL as a whole: this file is a library of its own, which nothing links.
constexpr PluginManifest manifest{plugin_magic, plugin_interface_version, plugin_abi,
                                  "wiredtiger", "GPL-2.0-or-later",       add_parts};

}  // namespace
}  // namespace ringwright

extern "C" __attribute__((visibility("default"))) const ringwright::PluginManifest*
ringwright_plugin() {
  return &ringwright::manifest;
}
