#include "engine/decorator/faulty_engine.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/decorator/fault_options.h"
#include "engine/engine_stack.h"
#include "engine/memory/memory_engine.h"

namespace ringwright {
namespace {

class FaultyEngineTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(engine_.open({"engine", {}, Durability::none, nullptr, nullptr}), ok_status());
    for (const char* const key : {"a", "b", "c"}) ASSERT_TRUE(put(key, "row"));
  }

  Result<std::uint64_t> put(Bytes key, Bytes row, MayBlock may_block = MayBlock::yes) {
    WriteBatch batch;
    batch.put(std::move(key), std::move(row));
    return engine_.write(batch, may_block);
  }
  Result<std::optional<Bytes>> get(const Bytes& key, MayBlock may_block = MayBlock::yes) {
    return engine_.multi_get({&key, 1}, may_block).at(0);
  }

  std::shared_ptr<FaultPlan> plan_ = std::make_shared<FaultPlan>(7);
  FaultyEngine engine_{std::make_unique<MemoryEngine>(), plan_};
};

TEST_F(FaultyEngineTest, does_nothing_until_armed) {
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(get("a", MayBlock::no));
  EXPECT_EQ(plan_->fired(EngineFault::read_fails), 0u);
  EXPECT_EQ(plan_->opportunities(EngineFault::read_fails), 100u);
}

TEST_F(FaultyEngineTest, read_fails_for_the_keys_that_the_predicate_picks) {
  plan_->fail_next(EngineFault::read_fails, 2, [](ByteView key) { return key == "b"; });
  for (int round = 0; round < 3; ++round) {
    const std::vector<Bytes> keys = {"a", "b", "c"};
    const auto found = engine_.multi_get(keys, MayBlock::yes);
    EXPECT_TRUE(found[0]);
    EXPECT_EQ(found[1].status().code(), round < 2 ? Code::io_error : Code::ok);
    EXPECT_TRUE(found[2]);
  }
  EXPECT_EQ(plan_->fired(EngineFault::read_fails), 2u);
}

TEST_F(FaultyEngineTest, read_damage_changes_rows_and_makes_none) {
  plan_->set_probability(EngineFault::read_damaged, 1);
  EXPECT_NE(get("a").value(), "row");
  EXPECT_EQ(get("a").value()->size(), 3u);
  EXPECT_EQ(get("absent").value(), std::nullopt);
  ASSERT_TRUE(put("empty", ""));
  EXPECT_NE(get("empty").value(), "");
  const auto iterator = engine_.iterate({}, Direction::forward);
  ASSERT_TRUE(iterator->valid());
  EXPECT_EQ(iterator->key(), "a");
  EXPECT_NE(iterator->value(), "row");
  plan_->disarm();
  EXPECT_EQ(get("a").value(), "row") << "the stored row is whole";
}

TEST_F(FaultyEngineTest, a_failing_iteration_ends_with_the_error) {
  plan_->fail_nth(EngineFault::read_fails, 2);
  const auto iterator = engine_.iterate({}, Direction::forward);
  ASSERT_TRUE(iterator->valid());
  iterator->next();
  EXPECT_FALSE(iterator->valid());
  EXPECT_EQ(iterator->status().code(), Code::io_error);
}

TEST_F(FaultyEngineTest, refused_and_lost_writes_have_no_effect_and_kept_ones_do) {
  plan_->fail_next(EngineFault::write_refused);
  EXPECT_EQ(put("a", "1").status().code(), Code::busy);
  EXPECT_EQ(get("a").value(), "row");
  plan_->fail_next(EngineFault::write_doubtful_lost);
  EXPECT_EQ(put("a", "2").status().code(), Code::in_doubt);
  EXPECT_EQ(get("a").value(), "row");
  plan_->fail_next(EngineFault::write_doubtful_kept);
  EXPECT_EQ(put("a", "3").status().code(), Code::in_doubt);
  EXPECT_EQ(get("a").value(), "3");
  EXPECT_TRUE(put("a", "4"));
}

TEST_F(FaultyEngineTest, a_failed_sync_ends_writes_and_syncs) {
  plan_->fail_next(EngineFault::sync_fails);
  EXPECT_EQ(engine_.sync(1, MayBlock::yes).code(), Code::io_error);
  EXPECT_EQ(engine_.sync(1, MayBlock::yes).code(), Code::io_error);
  EXPECT_EQ(put("a", "1").status().code(), Code::io_error);
  EXPECT_EQ(get("a").value(), "row");
  EXPECT_EQ(plan_->fired(EngineFault::sync_fails), 1u);
}

TEST_F(FaultyEngineTest, would_block_only_where_a_call_may_not_block) {
  plan_->set_probability(EngineFault::would_block, 1);
  EXPECT_EQ(get("a", MayBlock::no).status().code(), Code::would_block);
  EXPECT_EQ(put("a", "1", MayBlock::no).status().code(), Code::would_block);
  EXPECT_EQ(engine_.sync(1, MayBlock::no).code(), Code::would_block);
  EXPECT_EQ(get("a").value(), "row");
  EXPECT_TRUE(put("a", "1"));
  EXPECT_EQ(engine_.sync(1, MayBlock::yes), ok_status());
}

TEST_F(FaultyEngineTest, fail_nth_walks_through_a_run_call_by_call) {
  for (std::uint64_t n = 1; n <= 6; ++n) {
    plan_->fail_nth(EngineFault::write_refused, n);
    std::uint64_t done = 0;
    while (done < 5 && put("k", "v")) ++done;
    EXPECT_EQ(done, std::min<std::uint64_t>(n - 1, 5));
  }
}

TEST_F(FaultyEngineTest, without_space_nothing_is_added_and_removing_goes_on) {
  plan_->fail_next(EngineFault::write_no_space);
  EXPECT_EQ(put("d", "1").status().code(), Code::no_space);
  EXPECT_EQ(*get("d"), std::nullopt);
  plan_->set_space(10);
  EXPECT_TRUE(put("d", "12345678"));
  EXPECT_EQ(put("e", "1").status().code(), Code::no_space);
  EXPECT_EQ(plan_->space(), std::optional<std::uint64_t>(1));
  plan_->set_probability(EngineFault::write_no_space, 1);
  WriteBatch removal;
  removal.remove("d");
  EXPECT_TRUE(engine_.write(removal, MayBlock::yes));
  plan_->disarm();
  EXPECT_TRUE(put("e", "1"));
  EXPECT_EQ(plan_->fired(EngineFault::write_no_space), 2u);
}

TEST_F(FaultyEngineTest, a_write_that_did_not_happen_takes_no_space) {
  plan_->set_space(2);
  WriteBatch batch;
  batch.merge("d", "1");
  ASSERT_EQ(engine_.close(), ok_status());
  EXPECT_FALSE(engine_.write(batch, MayBlock::yes));
  EXPECT_EQ(plan_->space(), std::optional<std::uint64_t>(2));
}

TEST(FaultOptions, arm_the_plan_as_they_say) {
  FaultPlan plan;
  ASSERT_EQ(arm_faults(plan, {{"read_fails", "25%"},
                              {"write_refused", "nth:2"},
                              {"sync_fails", "next:2"},
                              {"space", "1KiB"}}),
            ok_status());
  EXPECT_EQ(plan.probability(EngineFault::read_fails), 0.25);
  EXPECT_EQ(plan.space(), std::optional<std::uint64_t>(1024));
  std::string fired;
  for (int i = 0; i < 3; ++i) fired += plan.fires(EngineFault::write_refused, "k") ? 'x' : '.';
  for (int i = 0; i < 3; ++i) fired += plan.fires(EngineFault::sync_fails, "k") ? 'x' : '.';
  EXPECT_EQ(fired, ".x.xx.");
  ASSERT_EQ(arm_faults(plan, {{"space", "unlimited"}}), ok_status());
  EXPECT_EQ(plan.space(), std::nullopt);
  EXPECT_EQ(plan.probability(EngineFault::read_fails), 0.25) << "not named, so as it was";
}

TEST(FaultOptions, are_all_taken_or_none) {
  FaultPlan plan;
  for (const auto& [name, value] : {std::pair{"write_refused", "2"},
                                    {"write_refused", "often"},
                                    {"write_refused", "nth:0"},
                                    {"write_refused", "next:x"},
                                    {"write_refsed", "1"},
                                    {"seed", "x"},
                                    {"space", "much"}}) {
    const Status status = arm_faults(plan, {{"read_fails", "1"}, {name, value}});
    EXPECT_EQ(status.code(), Code::invalid) << name << " = " << value;
    EXPECT_EQ(plan.probability(EngineFault::read_fails), 0);
  }
}

TEST(FaultOptions, a_seed_decides_the_draws_from_their_beginning) {
  const auto run = [](const EngineOptions& options, int before) {
    FaultPlan plan(99);
    plan.set_probability(EngineFault::read_fails, 0.3);
    for (int i = 0; i < before; ++i) plan.fires(EngineFault::read_fails, "k");
    EXPECT_EQ(arm_faults(plan, options), ok_status());
    std::string drawn;
    for (int i = 0; i < 60; ++i) drawn += plan.fires(EngineFault::read_fails, "k") ? 'x' : '.';
    return drawn;
  };
  EXPECT_EQ(run({{"seed", "3"}}, 0), run({{"seed", "3"}}, 17));
  EXPECT_NE(run({{"seed", "3"}}, 0), run({{"seed", "4"}}, 0));
}

TEST(FaultOptions, are_options_of_the_decorator) {
  auto made = make_engine_stack(registry(), "faulty(memory)");
  ASSERT_TRUE(made);
  ASSERT_EQ((*made)->open({"e", {{"faulty.write_refused", "1"}}, Durability::none, nullptr, {}}),
            ok_status());
  WriteBatch batch;
  batch.put("a", "1");
  EXPECT_EQ((*made)->write(batch, MayBlock::yes).status().code(), Code::busy);
}

TEST(FaultPlan, seeds_decide_and_kinds_do_not_disturb_each_other) {
  const auto run = [](std::uint64_t seed, bool other_kind_too) {
    FaultPlan plan(seed);
    plan.set_probability(EngineFault::read_fails, 0.3);
    if (other_kind_too) plan.set_probability(EngineFault::write_refused, 0.5);
    std::string drawn;
    for (int i = 0; i < 200; ++i) {
      drawn += plan.fires(EngineFault::read_fails, "k") ? 'x' : '.';
      plan.fires(EngineFault::write_refused, "k");
    }
    return drawn;
  };
  EXPECT_EQ(run(1, false), run(1, true));
  EXPECT_NE(run(1, false), run(2, false));
  const std::string drawn = run(1, false);
  const auto fired = std::count(drawn.begin(), drawn.end(), 'x');
  EXPECT_TRUE(fired > 30 && fired < 90) << fired << " of 200 at 0.3";
}

}  // namespace
}  // namespace ringwright
