#include "engine/decorator/slow_engine.h"

#include "tests/unit/engine/held_engine_test.h"

namespace ringwright {
namespace {

class SlowEngineTest : public HeldEngineTest {};

TEST_F(SlowEngineTest, without_options_nothing_waits) {
  open("slow(memory)");
  EXPECT_TRUE(put("a", "1", MayBlock::no));
  EXPECT_EQ(*get("a", MayBlock::no), "1");
  EXPECT_TRUE(engine_->capabilities().non_blocking);
}

TEST_F(SlowEngineTest, each_call_takes_its_own_latency) {
  open("slow(memory)", {{"slow.read_latency", "20ms"},
                        {"slow.write_latency", "30ms"},
                        {"slow.sync_latency", "40ms"},
                        {"slow.iterate_latency", "50ms"}});
  EXPECT_GE(took_ms([&] { EXPECT_TRUE(put("a", "1")); }), 30);
  EXPECT_GE(took_ms([&] { EXPECT_EQ(*get("a"), "1"); }), 20);
  EXPECT_GE(took_ms([&] { EXPECT_EQ(engine_->sync(1, MayBlock::yes), ok_status()); }), 40);
  EXPECT_GE(took_ms([&] { EXPECT_EQ(engine_->flush(), ok_status()); }), 40);
  EXPECT_GE(took_ms([&] { EXPECT_TRUE(engine_->iterate({}, Direction::forward)->valid()); }), 50);
  EXPECT_GE(took_ms([&] { EXPECT_EQ(engine_->drop_range({}), ok_status()); }), 30);
  EXPECT_FALSE(engine_->capabilities().non_blocking);
}

TEST_F(SlowEngineTest, a_call_that_may_not_wait_does_not) {
  open("slow(memory)", {{"slow.read_latency", "60s"}});
  EXPECT_TRUE(put("a", "1", MayBlock::no));
  EXPECT_EQ(get("a", MayBlock::no).status().code(), Code::would_block);
  EXPECT_TRUE(engine_->capabilities().non_blocking);
  open("slow(memory)", {{"slow.write_latency", "60s"}, {"slow.sync_latency", "60s"}});
  EXPECT_EQ(put("a", "1", MayBlock::no).status().code(), Code::would_block);
  EXPECT_EQ(engine_->sync(1, MayBlock::no).code(), Code::would_block);
  EXPECT_EQ(*get("a", MayBlock::no), std::nullopt);
}

TEST_F(SlowEngineTest, a_sync_that_is_covered_already_takes_no_time) {
  open("slow(memory)", {{"slow.sync_latency", "10ms"}});
  const auto first = put("a", "1");
  const auto second = put("b", "2");
  ASSERT_TRUE(first && second);
  EXPECT_EQ(engine_->sync(*second, MayBlock::no).code(), Code::would_block);
  ASSERT_EQ(engine_->sync(*second, MayBlock::yes), ok_status());
  EXPECT_EQ(engine_->sync(*second, MayBlock::no), ok_status());
  EXPECT_EQ(engine_->sync(*first, MayBlock::no), ok_status());
  const auto third = put("c", "3");
  ASSERT_TRUE(third);
  EXPECT_EQ(engine_->sync(*third, MayBlock::no).code(), Code::would_block);
}

TEST_F(SlowEngineTest, bytes_pass_at_their_rate) {
  open("slow(memory)", {{"slow.bytes_per_second", "1MB"}});
  EXPECT_EQ(put("a", "1", MayBlock::no).status().code(), Code::would_block);
  EXPECT_GE(took_ms([&] { EXPECT_TRUE(put("a", Bytes(20'000, 'x'))); }), 20);
  EXPECT_GE(took_ms([&] { EXPECT_TRUE(get("a")); }), 20);
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(put("k" + std::to_string(i), Bytes(500, 'x')));
  EXPECT_GE(took_ms([&] {
              for (auto rows = engine_->iterate({"k", "l"}, Direction::forward); rows->valid();)
                rows->next();
            }),
            19);
  EXPECT_EQ(get("a", MayBlock::no).status().code(), Code::would_block);
}

// What the delays add up to shows whether they are drawn around the latency, and from the seed.
TEST_F(SlowEngineTest, jitter_lies_around_the_latency) {
  for (const char* const jitter : {"100%", "20ms"}) {
    open("slow(memory)", {{"slow.read_latency", "20ms"}, {"slow.jitter", jitter}});
    double least = 1e9;
    double most = 0;
    for (int i = 0; i < 12; ++i) {
      const double took = took_ms([&] { EXPECT_TRUE(get("a")); });
      least = std::min(least, took);
      most = std::max(most, took);
    }
    EXPECT_LT(least, 20) << jitter;
    EXPECT_GT(most, 20) << jitter;
  }
}

TEST_F(SlowEngineTest, close_interrupts_who_sleeps_and_nothing_was_done) {
  open("slow(memory)", {{"slow.write_latency", "60s"}, {"slow.read_latency", "60s"}});
  std::atomic<int> begun = 0;
  std::thread writer([&] {
    ++begun;
    EXPECT_EQ(put("a", "1").status().code(), Code::closed);
  });
  std::thread reader([&] {
    ++begun;
    EXPECT_EQ(get("a").status().code(), Code::closed);
  });
  EXPECT_TRUE(comes([&] { return begun == 2; }));
  EXPECT_LT(took_ms([&] {
              EXPECT_EQ(engine_->close(), ok_status());
              writer.join();
              reader.join();
            }),
            30'000);
}

TEST_F(SlowEngineTest, let_go_it_is_slow_no_more) {
  open("slow(memory)", {{"slow.write_latency", "60s"}});
  std::thread writer([&] { EXPECT_TRUE(put("a", "1")); });
  let_all_go(*engine_);
  writer.join();
  EXPECT_EQ(*get("a"), "1");
}

TEST_F(SlowEngineTest, refuses_what_it_cannot_read) {
  for (const auto& [option, value] : {std::pair{"slow.read_latency", "2"},
                                      {"slow.read_latency", "61s"},
                                      {"slow.jitter", "1.5"},
                                      {"slow.jitter", "61s"},
                                      {"slow.seed", "x"},
                                      {"slow.bytes_per_second", "fast"}}) {
    auto made = make_engine_stack(registry(), "slow(memory)");
    ASSERT_TRUE(made);
    const Status opened =
        (*made)->open({"engine", {{option, value}}, Durability::none, nullptr, nullptr});
    EXPECT_EQ(opened.code(), Code::invalid) << option << " = " << value;
    EXPECT_NE(opened.message().find(value), std::string::npos) << opened.message();
  }
}

}  // namespace
}  // namespace ringwright
