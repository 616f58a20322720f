// The conformance suite of all storage engines, run on this one, and what it cannot know of it.
#include <tests/conformance/engine_conformance_tests.h>
#include <tests/support/temporary_disk.h>

#include "toy_engine.h"

namespace ringwright {
namespace {

INSTANTIATE_TEST_SUITE_P(Toy, EngineConformance,
                         testing::Values(EngineUnderTest{
                             .name = "toy",
                             .make = [] { return std::make_unique<toy_engine::ToyEngine>(); },
                             .durability = Durability::none,
                             .make_disk = make_temporary_disk,
                             .options = {},
                             .an_option = "rows_max"}),
                         engine_under_test_name);

TEST(Toy, refuses_a_durability_that_it_has_not) {
  toy_engine::ToyEngine engine;
  const Status refused =
      engine.open({"engine", {}, Durability::disk, nullptr, make_temporary_disk()});
  EXPECT_EQ(refused.code(), Code::invalid);
}

TEST(Toy, is_full_at_rows_max) {
  toy_engine::ToyEngine engine;
  ASSERT_EQ(engine.open(
                {"engine", {{"rows_max", "1"}}, Durability::none, nullptr, make_temporary_disk()}),
            ok_status());
  WriteBatch first;
  first.put("a", "1");
  EXPECT_TRUE(engine.write(first, MayBlock::yes));
  WriteBatch second;
  second.put("b", "2");
  EXPECT_EQ(engine.write(second, MayBlock::yes).status().code(), Code::no_space);
}

TEST(Toy, tells_a_damaged_file_from_an_empty_one) {
  const auto disk = make_temporary_disk();
  const EngineContext context{"engine", {}, Durability::none, nullptr, disk};
  {
    toy_engine::ToyEngine engine;
    ASSERT_EQ(engine.open(context), ok_status());
    ASSERT_EQ(engine.flush(), ok_status());
  }
  ASSERT_EQ(disk->replace("engine/rows", "nonsense"), ok_status());
  toy_engine::ToyEngine engine;
  EXPECT_EQ(engine.open(context).code(), Code::corrupt);
}

}  // namespace
}  // namespace ringwright
