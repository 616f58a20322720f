#include <atomic>
#include <mutex>
#include <set>

#include "engine/base/limits.h"
#include "engine/engine_directory.h"
#include "tests/plugins/wiredtiger/wiredtiger_test_support.h"

namespace ringwright {
namespace {

TEST_F(WiredtigerTest, has_no_empty_keys_and_says_so) {
  ASSERT_EQ(open(), ok_status());
  const Status refused = try_put("", "1");
  EXPECT_EQ(refused.code(), Code::invalid) << refused.to_string();
  EXPECT_EQ(shown(""), "absent");
  WriteBatch batch;
  batch.remove("");
  batch.put("a", "");
  EXPECT_TRUE(engine_->write(batch, MayBlock::yes).has_value());
  EXPECT_EQ(shown("a"), "");
}

TEST_F(WiredtigerTest, takes_keys_and_rows_as_large_as_a_client_may_send) {
  ASSERT_EQ(open(), ok_status());
  const Bytes key(limits::key_bytes_max + 9, '\xff');
  const Bytes row(limits::record_bytes_max / 4, 'r');
  put(key, row);
  EXPECT_EQ(shown(key), row);
  reopen();
  EXPECT_EQ(shown(key), row);
}

TEST_F(WiredtigerTest, every_call_that_may_not_block_declines) {
  ASSERT_EQ(open(), ok_status());
  EXPECT_FALSE(engine_->capabilities().non_blocking);
  put("a", "1");
  const Bytes key = "a";
  EXPECT_EQ(engine_->multi_get({&key, 1}, MayBlock::no).front().status().code(), Code::would_block);
  EXPECT_EQ(engine_->write(batch_of("a", "2"), MayBlock::no).status().code(), Code::would_block);
  EXPECT_EQ(shown("a"), "1");
}

TEST_F(WiredtigerTest, a_sync_covers_what_was_written_before_it) {
  context_.durability = Durability::disk;
  ASSERT_EQ(open(), ok_status());
  const std::uint64_t first = put("a", "1");
  const std::uint64_t second = put("b", "1");
  EXPECT_EQ(engine_->sync(second, MayBlock::no).code(), Code::would_block);
  EXPECT_EQ(engine_->sync(first, MayBlock::yes), ok_status());
  EXPECT_EQ(engine_->sync(second, MayBlock::no), ok_status()) << "the same flush covers both";
  const std::uint64_t third = put("c", "1");
  EXPECT_EQ(engine_->sync(third, MayBlock::no).code(), Code::would_block);
}

TEST_F(WiredtigerTest, rows_outlive_a_change_of_the_durability_class) {
  for (int round = 0; round < 6; ++round) {
    constexpr std::array classes{Durability::os, Durability::none, Durability::disk};
    context_.durability = classes[static_cast<std::size_t>(round) % classes.size()];
    const Status opened = open();
    ASSERT_TRUE(opened.is_ok()) << "round " << round << ": " << opened.to_string();
    EXPECT_EQ(count_rows(), static_cast<std::size_t>(round) * 100 + (round > 0 ? 1 : 0));
    EXPECT_EQ(shown("last"), round > 0 ? std::to_string(round - 1) : "absent");
    for (int i = 0; i < 100; ++i) put(std::to_string(round * 1000 + i), "1");
    put("last", std::to_string(round));
    ASSERT_EQ(engine_->close(), ok_status());
  }
}

TEST_F(WiredtigerTest, sequences_of_several_writers_are_all_different) {
  ASSERT_EQ(open(), ok_status());
  std::mutex mutex;
  std::set<std::uint64_t> seen;
  std::vector<std::thread> writers;
  for (int t = 0; t < 4; ++t)
    writers.emplace_back([&, t] {
      std::uint64_t last = 0;
      for (int i = 0; i < 200; ++i) {
        const std::uint64_t sequence = put(std::to_string(t) + "." + std::to_string(i), "1");
        EXPECT_GT(sequence, last);
        last = sequence;
        const std::lock_guard lock(mutex);
        seen.insert(sequence);
      }
    });
  for (auto& writer : writers) writer.join();
  EXPECT_EQ(seen.size(), 800u);
}

// Two writers of one key conflict inside WiredTiger; both must come through.
TEST_F(WiredtigerTest, writes_that_meet_are_tried_again) {
  ASSERT_EQ(open(), ok_status());
  std::vector<std::thread> writers;
  for (int t = 0; t < 4; ++t)
    writers.emplace_back([&] {
      for (int i = 0; i < 300; ++i) {
        WriteBatch batch;
        for (int k = 0; k < 8; ++k) batch.put("hot" + std::to_string(k), std::to_string(i));
        EXPECT_TRUE(engine_->write(batch, MayBlock::yes).has_value());
      }
    });
  std::atomic<bool> done{false};
  std::thread dropper([&] {
    while (!done) EXPECT_EQ(engine_->drop_range({"hot", "hou"}), ok_status());
  });
  for (auto& writer : writers) writer.join();
  done = true;
  dropper.join();
  put("hot0", "end");
  EXPECT_EQ(shown("hot0"), "end");
}

TEST_F(WiredtigerTest, an_iterator_left_at_close_ends_at_its_next_step_and_keeps_the_directory) {
  ASSERT_EQ(open(), ok_status());
  for (int i = 0; i < 10; ++i) put("k" + std::to_string(i), "1");
  auto iterator = engine_->iterate({}, Direction::forward);
  iterator->next();
  ASSERT_TRUE(iterator->valid());
  EXPECT_EQ(engine_->close(), ok_status());
  EXPECT_EQ(iterator->key(), "k1");
  EXPECT_EQ(iterator->value(), "1");
  iterator->next();
  EXPECT_FALSE(iterator->valid());
  EXPECT_EQ(iterator->status().code(), Code::closed);
  EXPECT_EQ(open().code(), Code::locked);
  iterator.reset();
  ASSERT_EQ(open(), ok_status());
  EXPECT_EQ(count_rows(), 10u);
}

TEST_F(WiredtigerTest, too_many_iterators_are_refused_and_the_rest_goes_on) {
  ASSERT_EQ(open(), ok_status());
  put("a", "1");
  std::vector<std::unique_ptr<Iterator>> iterators;
  while (iterators.size() < limits::wiredtiger_sessions_max + 8) {
    iterators.push_back(engine_->iterate({}, Direction::forward));
    if (!iterators.back()->valid()) break;
  }
  EXPECT_EQ(iterators.back()->status().code(), Code::busy);
  EXPECT_EQ(shown("a"), "busy");
  EXPECT_EQ(try_put("b", "1").code(), Code::busy);
  iterators.clear();
  EXPECT_EQ(shown("a"), "1");
  put("b", "1");
}

TEST_F(WiredtigerTest, close_waits_for_the_calls_inside) {
  context_.durability = Durability::disk;
  ASSERT_EQ(open(), ok_status());
  std::atomic<int> started{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t)
    callers.emplace_back([&, t] {
      const Bytes key = "key" + std::to_string(t);
      for (;;) {
        const auto written = engine_->write(batch_of(key, "1"), MayBlock::yes);
        ++started;
        if (!written) {
          EXPECT_EQ(written.status().code(), Code::closed);
          return;
        }
        const Status synced = engine_->sync(*written, MayBlock::yes);
        EXPECT_TRUE(synced.is_ok() || synced.code() == Code::closed) << synced.to_string();
        const auto iterator = engine_->iterate({key, ""}, Direction::reverse);
        EXPECT_TRUE(iterator->valid() || iterator->status().code() == Code::closed);
        engine_->stats();
        engine_->pressure();
      }
    });
  EXPECT_TRUE(eventually([&] { return started > 100; }));
  EXPECT_EQ(engine_->close(), ok_status());
  for (auto& caller : callers) caller.join();
}

TEST_F(WiredtigerTest, a_checkpoint_holds_what_can_be_seen_in_every_class) {
  for (const Durability durability : {Durability::none, Durability::os, Durability::disk}) {
    SCOPED_TRACE(durability_name(durability));
    const std::string name(durability_name(durability));
    context_.path = "engine-" + name;
    context_.durability = durability;
    ASSERT_EQ(open(), ok_status());
    std::atomic<bool> done{false};
    std::thread writer([&] {
      for (int i = 0; !done; ++i) put("later" + std::to_string(i), Bytes(100, 'v'));
    });
    for (int i = 0; i < 500; ++i) put("before" + std::to_string(i), Bytes(100, 'v'));
    const Status copied = engine_->checkpoint("copies/" + name);
    done = true;
    writer.join();
    ASSERT_TRUE(copied.is_ok()) << copied.to_string();
    EXPECT_EQ(engine_->checkpoint("copies/" + name).code(), Code::invalid) << "there is one";
    ASSERT_EQ(engine_->close(), ok_status());

    context_.path = "copies/" + name;
    ASSERT_EQ(open(), ok_status());
    for (int i = 0; i < 500; ++i)
      ASSERT_EQ(shown("before" + std::to_string(i)), Bytes(100, 'v')) << i;
    // What came later is there up to some point, and nothing after it.
    const std::size_t later = count_rows() - 500;
    for (std::size_t i = 0; i < later; ++i)
      ASSERT_NE(shown("later" + std::to_string(i)), "absent") << i << " of " << later;
    ASSERT_EQ(engine_->close(), ok_status());
  }
}

// What a process that died while it copied has left: the copy's index beside the directory's own.
TEST_F(WiredtigerTest, the_index_of_an_unfinished_copy_is_not_gone_back_to) {
  context_.durability = Durability::none;
  ASSERT_EQ(open(), ok_status());
  put("a", "old");
  ASSERT_EQ(engine_->checkpoint("copy"), ok_status());
  std::filesystem::copy_file(disk_->real_path("copy") + "/WiredTiger.backup",
                             real_file("WiredTiger.backup"));
  put("a", "new");
  ASSERT_EQ(engine_->close(), ok_status());
  ASSERT_EQ(disk_->replace("engine/COPYING", ""), ok_status());
  ASSERT_EQ(open(), ok_status());
  EXPECT_EQ(shown("a"), "new");
  EXPECT_FALSE(std::filesystem::exists(real_file("COPYING")));
}

TEST_F(WiredtigerTest, estimates_follow_the_rows_of_small_and_large_ranges) {
  ASSERT_EQ(open(), ok_status());
  for (int i = 10'000; i < 30'000; ++i) put("k" + std::to_string(i), Bytes(100, 'v'));
  for (int i = 0; i < 10; ++i) put("z" + std::to_string(i), Bytes(100, 'v'));
  ASSERT_EQ(engine_->flush(), ok_status());
  EXPECT_EQ(engine_->approximate_bytes({"l", "m"}), 0u);
  EXPECT_EQ(engine_->approximate_bytes({"z", ""}), 1020u);
  const auto near = [](std::uint64_t found, double expected) {
    EXPECT_GT(static_cast<double>(found), expected / 2);
    EXPECT_LT(static_cast<double>(found), expected * 2);
  };
  near(engine_->approximate_bytes({"k", "l"}), 20'000 * 106);
  near(engine_->approximate_bytes({"k1", "k2"}), 10'000 * 106);
  near(engine_->stats().approximate_keys, 20'010);
  EXPECT_GE(engine_->stats().disk_bytes, 2'000'000u);
  EXPECT_GE(engine_->stats().memory_bytes, 100'000u);
}

TEST_F(WiredtigerTest, pressure_rises_with_what_waits_to_be_written) {
  context_.options["cache_size"] = "32MiB";
  // Nothing is evicted before the trigger.
  context_.options["eviction_dirty_target"] = "10";
  context_.options["eviction_dirty_trigger"] = "80";
  ASSERT_EQ(open(), ok_status());
  EXPECT_EQ(engine_->pressure(), 0);
  double highest = 0;
  for (int i = 0; i < 30'000 && highest < 0.3; ++i) {
    put("k" + std::to_string(i), Bytes(1000, 'v'));
    if (i % 100 == 0) highest = std::max(highest, engine_->pressure());
  }
  EXPECT_GE(highest, 0.3);
  ASSERT_EQ(engine_->flush(), ok_status());
  EXPECT_LT(engine_->pressure(), highest);
}

TEST_F(WiredtigerTest, refuses_a_disk_without_directories) {
  context_.disk = nullptr;
  EXPECT_EQ(open().code(), Code::invalid);
}

TEST_F(WiredtigerTest, a_compressor_that_is_not_there_is_an_invalid_option) {
  context_.options["table.block_compressor"] = "lz4";
  const Status refused = open();
  EXPECT_EQ(refused.code(), Code::invalid) << refused.to_string();
  EXPECT_NE(refused.message().find("lz4"), std::string::npos) << refused.to_string();
}

}  // namespace
}  // namespace ringwright
