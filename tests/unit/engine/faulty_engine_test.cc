#include "engine/decorator/faulty_engine.h"

#include <gtest/gtest.h>

#include <algorithm>

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
