#include "engine/decorator/pausable_engine.h"

#include "tests/unit/engine/held_engine_test.h"

namespace ringwright {
namespace {

class PausableEngineTest : public HeldEngineTest {
 protected:
  void SetUp() override { open_with({}); }
  void open_with(EngineOptions options) {
    open("pausable(memory)", std::move(options));
    switch_ = PausableEngine::switch_of(*engine_);
    ASSERT_NE(switch_, nullptr);
  }

  std::shared_ptr<PausableEngine::Switch> switch_;
};

TEST_F(PausableEngineTest, lets_everything_through_until_it_is_paused) {
  EXPECT_FALSE(switch_->is_paused());
  EXPECT_TRUE(put("a", "1", MayBlock::no));
  EXPECT_EQ(*get("a", MayBlock::no), "1");
}

TEST_F(PausableEngineTest, a_paused_call_waits_and_goes_on_when_it_is_resumed) {
  ASSERT_TRUE(put("a", "old"));
  switch_->pause();
  std::atomic<bool> done = false;
  std::thread writer([&] {
    EXPECT_TRUE(put("a", "new"));
    done = true;
  });
  std::thread reader([&] { EXPECT_TRUE(get("b")); });
  EXPECT_TRUE(comes([&] { return switch_->waiting() == 2; }));
  EXPECT_FALSE(done);
  EXPECT_EQ(put("a", "not now", MayBlock::no).status().code(), Code::would_block);
  EXPECT_EQ(get("a", MayBlock::no).status().code(), Code::would_block);
  EXPECT_EQ(engine_->sync(1, MayBlock::no).code(), Code::would_block);
  // A paused engine can be watched.
  EXPECT_EQ(engine_->stats().approximate_keys, 1u);
  switch_->resume();
  writer.join();
  reader.join();
  EXPECT_EQ(*get("a"), "new");
}

TEST_F(PausableEngineTest, every_call_that_blocks_answers_busy_after_its_deadline) {
  ASSERT_EQ(engine_->close(), ok_status());
  open_with({{"pausable.deadline", "20ms"}});
  ASSERT_TRUE(put("a", "old"));
  switch_->pause();
  EXPECT_EQ(put("a", "new").status().code(), Code::busy);
  EXPECT_EQ(get("a").status().code(), Code::busy);
  EXPECT_EQ(engine_->sync(1, MayBlock::yes).code(), Code::busy);
  EXPECT_EQ(engine_->drop_range({}).code(), Code::busy);
  EXPECT_EQ(engine_->flush().code(), Code::busy);
  EXPECT_EQ(engine_->checkpoint("copy").code(), Code::busy);
  const auto rows = engine_->iterate({}, Direction::forward);
  EXPECT_FALSE(rows->valid());
  EXPECT_EQ(rows->status().code(), Code::busy);
  EXPECT_GE(took_ms([&] { EXPECT_FALSE(get("a")); }), 20);
  switch_->resume();
  EXPECT_EQ(*get("a"), "old");
}

TEST_F(PausableEngineTest, close_releases_who_waits_and_nothing_was_done) {
  open_with({{"pausable.deadline", "60s"}});
  switch_->pause();
  std::thread writer([&] { EXPECT_EQ(put("a", "1").status().code(), Code::closed); });
  EXPECT_TRUE(comes([&] { return switch_->waiting() == 1; }));
  EXPECT_LT(took_ms([&] { EXPECT_EQ(engine_->close(), ok_status()); }), 30'000);
  EXPECT_EQ(switch_->waiting(), 0u);
  writer.join();
  EXPECT_EQ(get("a").status().code(), Code::closed);
}

TEST_F(PausableEngineTest, let_go_it_holds_nobody_any_more) {
  switch_->pause();
  std::thread writer([&] { EXPECT_TRUE(put("a", "1")); });
  EXPECT_TRUE(comes([&] { return switch_->waiting() == 1; }));
  let_all_go(*engine_);
  writer.join();
  switch_->pause();
  EXPECT_EQ(*get("a"), "1");
}

TEST_F(PausableEngineTest, is_found_in_a_stack) {
  open("slow(pausable(faulty(memory)))");
  EXPECT_NE(PausableEngine::switch_of(*engine_), nullptr);
  open("slow(memory)");
  EXPECT_EQ(PausableEngine::switch_of(*engine_), nullptr);
}

}  // namespace
}  // namespace ringwright
