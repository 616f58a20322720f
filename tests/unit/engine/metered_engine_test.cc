#include "engine/decorator/metered_engine.h"

#include <gtest/gtest.h>

#include <thread>

#include "engine/decorator/fault_options.h"
#include "engine/decorator/faulty_engine.h"
#include "engine/memory/memory_engine.h"
#include "tests/support/temporary_disk.h"

namespace ringwright {
namespace {

// Moves by a step at every look.
class SteppingClock final : public Clock {
 public:
  explicit SteppingClock(Nanoseconds step) : step_(step) {}
  Instant now() const override { return now_ += step_; }
  std::uint64_t wall_us() const override { return 0; }

 private:
  const Nanoseconds step_;
  mutable std::atomic<Instant> now_ = 0;
};

class MeteredEngineTest : public testing::Test {
 protected:
  void open(Nanoseconds each_call = 1500, Durability durability = Durability::none) {
    auto faulty = std::make_unique<FaultyEngine>(std::make_unique<MemoryEngine>(), plan_);
    engine_ = std::make_unique<MeteredEngine>(std::move(faulty),
                                              std::make_shared<SteppingClock>(each_call));
    const auto disk = durability == Durability::none ? nullptr : make_temporary_disk();
    ASSERT_EQ(engine_->open({"engine", {}, durability, nullptr, disk}), ok_status());
  }
  Result<std::uint64_t> put(std::initializer_list<Bytes> keys, MayBlock may_block = MayBlock::yes) {
    WriteBatch batch;
    for (const Bytes& key : keys) batch.put(key, "row");
    return engine_->write(batch, may_block);
  }

  std::shared_ptr<FaultPlan> plan_ = std::make_shared<FaultPlan>();
  std::unique_ptr<MeteredEngine> engine_;
};

TEST_F(MeteredEngineTest, counts_calls_batches_and_bytes) {
  open();
  ASSERT_TRUE(put({"a", "b", "c"}));
  ASSERT_TRUE(put({"dd"}));
  const std::vector<Bytes> keys = {"a", "dd", "absent"};
  engine_->multi_get(keys, MayBlock::yes);
  for (auto rows = engine_->iterate({}, Direction::reverse); rows->valid();) rows->next();
  ASSERT_EQ(engine_->drop_range({"a", "b"}), ok_status());
  ASSERT_EQ(engine_->flush(), ok_status());
  EXPECT_EQ(engine_->checkpoint("copy").code(), Code::invalid) << "there is no disk";

  const EngineCounts counts = engine_->counts();
  EXPECT_EQ(counts.of(EngineCall::write).total(), 2u);
  EXPECT_EQ(counts.batch_writes.total(), 2u);
  EXPECT_EQ(counts.batch_writes.sum(), 4u);
  EXPECT_EQ(counts.bytes_written, 3u * 4 + 5);
  EXPECT_EQ(counts.of(EngineCall::multi_get).total(), 1u);
  EXPECT_EQ(counts.read_keys.sum(), 3u);
  EXPECT_EQ(counts.rows_iterated, 4u);
  EXPECT_EQ(counts.bytes_read, 2u * 3 + counts.bytes_written);
  for (const EngineCall call : {EngineCall::iterate, EngineCall::drop_range, EngineCall::flush})
    EXPECT_EQ(counts.of(call).total(), 1u) << engine_call_name(call);
  const EngineCounts::Call& copies = counts.of(EngineCall::checkpoint);
  EXPECT_EQ(copies.total(), 1u);
  EXPECT_EQ(copies.errors[static_cast<std::size_t>(Code::invalid)], 1u);
  EXPECT_EQ(counts.fsyncs.total(), 0u);
}

TEST_F(MeteredEngineTest, a_duration_falls_into_its_bucket) {
  open(microseconds(150));
  ASSERT_TRUE(put({"a"}));
  const DurationHistogram durations = engine_->counts().of(EngineCall::write).durations;
  EXPECT_EQ(durations.sum(), 150'000u);
  ASSERT_EQ(duration_bounds[7], 200'000u);
  for (std::size_t i = 0; i < DurationHistogram::bucket_count; ++i)
    EXPECT_EQ(durations.counts()[i], i == 7 ? 1u : 0u) << i;
}

TEST(Histogram, bounds_belong_to_their_bucket_and_the_last_takes_the_rest) {
  CountHistogram histogram;
  for (const std::uint64_t value : {0u, 1u, 2u, 3u, 1024u, 1025u}) histogram.add(value);
  histogram.add(2, 3);
  EXPECT_EQ(histogram.counts(),
            (std::array<std::uint64_t, 12>{2, 4, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1}));
  EXPECT_EQ(histogram.total(), 9u);
  EXPECT_EQ(histogram.sum(), 6u + 1024 + 1025 + 6);
}

TEST_F(MeteredEngineTest, tells_errors_by_code_from_what_would_block) {
  open();
  ASSERT_EQ(arm_faults(*plan_, {{"write_refused", "next:2"}}), ok_status());
  EXPECT_EQ(put({"a"}).status().code(), Code::busy);
  EXPECT_EQ(put({"a"}).status().code(), Code::busy);
  ASSERT_TRUE(put({"a"}));
  plan_->fail_next(EngineFault::read_fails, 2);
  const std::vector<Bytes> keys = {"a", "b", "c"};
  engine_->multi_get(keys, MayBlock::yes);
  plan_->set_probability(EngineFault::would_block, 1);
  EXPECT_EQ(put({"a"}, MayBlock::no).status().code(), Code::would_block);
  engine_->multi_get(keys, MayBlock::no);
  EXPECT_EQ(engine_->sync(1, MayBlock::no).code(), Code::would_block);
  plan_->fail_next(EngineFault::read_fails);
  EXPECT_FALSE(engine_->iterate({}, Direction::forward)->valid());

  const EngineCounts counts = engine_->counts();
  const EngineCounts::Call& writes = counts.of(EngineCall::write);
  EXPECT_EQ(writes.total(), 4u);
  EXPECT_EQ(writes.would_block, 1u);
  EXPECT_EQ(writes.errors[static_cast<std::size_t>(Code::busy)], 2u);
  EXPECT_EQ(counts.bytes_written, 4u);
  const EngineCounts::Call& reads = counts.of(EngineCall::multi_get);
  EXPECT_EQ(reads.would_block, 1u);
  EXPECT_EQ(reads.errors[static_cast<std::size_t>(Code::io_error)], 2u);
  EXPECT_EQ(reads.errors[static_cast<std::size_t>(Code::would_block)], 0u);
  EXPECT_EQ(counts.of(EngineCall::sync).would_block, 1u);
  EXPECT_EQ(counts.of(EngineCall::iterate).errors[static_cast<std::size_t>(Code::io_error)], 1u);
}

TEST_F(MeteredEngineTest, long_writes_are_stalls_and_syncs_to_disk_are_shown_apart) {
  open(milliseconds(11), Durability::disk);
  const auto sequence = put({"a"});
  ASSERT_TRUE(sequence);
  ASSERT_EQ(engine_->sync(*sequence, MayBlock::yes), ok_status());
  const EngineCounts counts = engine_->counts();
  EXPECT_EQ(counts.stalled_ns, static_cast<std::uint64_t>(milliseconds(11)));
  EXPECT_EQ(counts.fsyncs.total(), 1u);
  EXPECT_EQ(counts.fsyncs.sum(), static_cast<std::uint64_t>(milliseconds(11)));
}

// Not every one is timed, but those that are stand for all.
TEST_F(MeteredEngineTest, calls_that_may_not_block_are_all_counted) {
  open();
  constexpr std::uint64_t calls = 4000;
  for (std::uint64_t i = 0; i < calls; ++i) ASSERT_TRUE(put({"a"}, MayBlock::no));
  const EngineCounts::Call writes = engine_->counts().of(EngineCall::write);
  EXPECT_EQ(writes.total(), calls);
  EXPECT_GT(writes.durations.total(), calls / 2);
  EXPECT_EQ(writes.durations.sum(), writes.durations.total() * 1500);
}

TEST(EngineMeter, a_stripe_that_is_taken_is_left_alone) {
  EngineMeter meter;
  meter.count([&](EngineCounts& own) {
    own.bytes_read += 1;
    meter.count([&](EngineCounts& other) {
      EXPECT_NE(&own, &other);
      other.bytes_read += 2;
    });
  });
  EXPECT_EQ(meter.counts().bytes_read, 3u);
}

TEST_F(MeteredEngineTest, no_count_of_any_thread_is_lost) {
  open();
  constexpr int threads = 20;
  constexpr int calls = 500;
  std::atomic<bool> done = false;
  std::uint64_t last = 0;
  std::thread watcher([&] {
    while (!done) {
      const std::uint64_t seen = engine_->counts().of(EngineCall::write).total();
      EXPECT_GE(seen, last);
      last = seen;
    }
  });
  std::vector<std::thread> writers;
  for (int i = 0; i < threads; ++i)
    writers.emplace_back([&] {
      for (int call = 0; call < calls; ++call) EXPECT_TRUE(put({"a", "b"}, MayBlock::no));
    });
  for (std::thread& writer : writers) writer.join();
  done = true;
  watcher.join();
  const EngineCounts counts = engine_->counts();
  EXPECT_EQ(counts.of(EngineCall::write).total(), std::uint64_t{threads} * calls);
  EXPECT_EQ(counts.batch_writes.sum(), std::uint64_t{threads} * calls * 2);
  EXPECT_EQ(counts.bytes_written, std::uint64_t{threads} * calls * 8);
}

}  // namespace
}  // namespace ringwright
