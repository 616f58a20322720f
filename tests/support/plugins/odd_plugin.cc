// One plugin file for each oddity that the loader meets; RW_ODD_<oddity> says which.
#include <cstdlib>
#include <memory>
#include <stdexcept>

#include "engine/base/library_version.h"
#include "engine/plugin_api.h"
#include "engine/storage_engine.h"

namespace ringwright {

#if defined(RW_ODD_SAME_NAMES)
// The core has one of this name too.
std::string_view library_version() { return "the plugin's own"; }
#endif

namespace {

[[maybe_unused]] void add_parts([[maybe_unused]] Registry& registry) {
#if defined(RW_ODD_THROWS)
  throw std::runtime_error("no licence key");
#elif defined(RW_ODD_THROWS_NO_EXCEPTION)
  throw 5;  // NOLINT(hicpp-exception-baseclass)
#elif defined(RW_ODD_NAME_TAKEN)
  registry.add<StorageEngine>("odd_extra", [] { return std::unique_ptr<StorageEngine>(); });
  registry.add<StorageEngine>("null", [] { return std::unique_ptr<StorageEngine>(); });
#elif defined(RW_ODD_NO_PARTS)

#else
  registry.add<StorageEngine>("odd", []() -> std::unique_ptr<StorageEngine> {
    throw std::runtime_error("the factory is on strike");
  });
#endif
}

[[maybe_unused]] std::vector<std::string> remarks() {
#if defined(RW_ODD_REMARKS_THROW)
  throw std::runtime_error("nothing to remark");
#elif defined(RW_ODD_SAME_NAMES)
  return {std::string(library_version())};
#else
  return {"it is odd"};
#endif
}

// The head that this compiler makes, with one thing changed.
[[maybe_unused]] constexpr PluginHead odd_head() {
  PluginHead head{.manifest_bytes = sizeof(PluginManifest)};
#if defined(RW_ODD_MAGIC)
  head.magic = 42;
#elif defined(RW_ODD_INTERFACE)
  head.interface_version = 1;
#elif defined(RW_ODD_ABI)
  head.abi[0] = 'L';
#elif defined(RW_ODD_SIZE)
  head.manifest_bytes -= 8;
#endif
  return head;
}

// Such a file must be refused before anything of it runs, and this would run when it is opened.
struct Tripwire {
  Tripwire() { ::setenv("RINGWRIGHT_TEST_TRIPWIRE", "pulled", 1); }
};
const Tripwire tripwire;

}  // namespace
}  // namespace ringwright

#if !defined(RW_ODD_NO_MANIFEST)
RINGWRIGHT_PLUGIN(.head = ringwright::odd_head(), .name = "odd", .version = "1.2.3",
                  .library = "liboddities 4.5", .licence = "MIT",
#if !defined(RW_ODD_NO_FUNCTION)
                  .add_parts = ringwright::add_parts,
#endif
                  .remarks = ringwright::remarks);
#endif
