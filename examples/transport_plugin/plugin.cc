#include <engine/plugin_api.h>

#include <cstdlib>
#include <memory>

#include "lagging_factory.h"

namespace {

void add_parts(ringwright::Registry& registry) {
  registry.add<ringwright::TransportFactory>("lagging", [] {
    const char* const options = std::getenv(lagging::options_variable);
    return std::make_unique<lagging::LaggingFactory>(options == nullptr ? "" : options);
  });
}

}  // namespace

RINGWRIGHT_PLUGIN(.name = "lagging", .version = "0.1", .licence = "Apache-2.0",
                  .add_parts = add_parts);
