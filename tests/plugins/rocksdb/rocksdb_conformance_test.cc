#include "engine/engine_stack.h"
#include "tests/conformance/engine_conformance_tests.h"
#include "tests/support/temporary_disk.h"

namespace ringwright {
namespace {

// As users get it: by name, from the plugin's file.
EngineUnderTest rocksdb(std::string name, Durability durability, EngineOptions options = {},
                        const std::string& stack = "rocksdb") {
  options["block_cache_size"] = "8MiB";
  return {std::move(name),
          [stack] {
            auto made = make_engine_stack(registry(), stack);
            RW_CHECK(made.has_value());
            return std::move(*made);
          },
          durability,
          make_temporary_disk,
          std::move(options),
          "write_buffer_size"};
}

INSTANTIATE_TEST_SUITE_P(Rocksdb, EngineConformance,
                         testing::Values(rocksdb("none", Durability::none),
                                         rocksdb("os", Durability::os),
                                         rocksdb("disk", Durability::disk),
                                         rocksdb("small_tables", Durability::os,
                                                 {{"write_buffer_size", "64KiB"},
                                                  {"level0_file_num_compaction_trigger", "1"}}),
                                         rocksdb("metered_faulty", Durability::disk,
                                                 {{"faulty.seed", "1"}},
                                                 "metered(faulty(rocksdb))")),
                         engine_under_test_name);

}  // namespace
}  // namespace ringwright
