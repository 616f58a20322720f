#include <engine/plugin_api.h>

#include <memory>

#include "toy_engine.h"

namespace {

void add_parts(ringwright::Registry& registry) {
  registry.add<ringwright::StorageEngine>("toy",
                                          [] { return std::make_unique<toy_engine::ToyEngine>(); });
}

}  // namespace

RINGWRIGHT_PLUGIN(.name = "toy", .version = "0.1", .licence = "Apache-2.0", .add_parts = add_parts);
