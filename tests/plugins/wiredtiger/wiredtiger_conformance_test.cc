#include "engine/registry.h"
#include "tests/conformance/engine_conformance_tests.h"
#include "tests/support/temporary_disk.h"

namespace ringwright {
namespace {

// As users get it: by name, from the plugin's file.
EngineUnderTest wiredtiger(std::string name, Durability durability, EngineOptions options = {}) {
  options.emplace("cache_size", "8MiB");
  options.emplace("log.file_max", "1MiB");
  return {std::move(name),
          [] {
            auto made = registry().create_unique<StorageEngine>("wiredtiger");
            RW_CHECK(made.has_value());
            return std::move(*made);
          },
          durability,
          make_temporary_disk,
          std::move(options),
          "cache_size"};
}

INSTANTIATE_TEST_SUITE_P(Wiredtiger, EngineConformance,
                         testing::Values(wiredtiger("none", Durability::none),
                                         wiredtiger("os", Durability::os),
                                         wiredtiger("disk", Durability::disk),
                                         wiredtiger("small_pages", Durability::os,
                                                    {{"cache_size", "1MiB"},
                                                     {"checkpoint", "(wait=1,log_size=128KiB)"},
                                                     {"table.leaf_page_max", "4KiB"},
                                                     {"table.memory_page_max", "16KiB"}})),
                         engine_under_test_name);

}  // namespace
}  // namespace ringwright
