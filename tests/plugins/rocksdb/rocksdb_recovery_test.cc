#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/plugins/rocksdb/rocksdb_test_support.h"

namespace ringwright {
namespace {

constexpr int rows = 12;
constexpr std::size_t log_block_bytes = 32768;
// With it a record of the log fills one block: head 7, head of the batch 12, kind and two lengths
// 5, key 6. A hole of whole records is the one that RocksDB does not see.
constexpr std::size_t row_bytes = log_block_bytes - 30;
constexpr std::size_t begin_bytes = 32;  // the mark at the head of a log

class RocksdbRecovery : public RocksdbTest {
 protected:
  static Bytes key(int i) { return "key" + std::to_string(100 + i); }

  void write(StorageEngine& engine, int i) {
    WriteBatch batch;
    const std::size_t bytes = i == 0 ? row_bytes - begin_bytes : row_bytes;
    batch.put(key(i), Bytes(bytes, static_cast<char>('a' + i % 26)));
    ASSERT_TRUE(engine.write(batch, MayBlock::yes));
  }

  // How many rows are there, when they are the first ones; else -1.
  static int prefix(StorageEngine& engine) {
    int count = 0;
    const auto at = engine.iterate({}, Direction::forward);
    for (; at->valid(); at->next())
      if (at->key() != key(count++)) return -1;
    return at->status().is_ok() ? count : -1;
  }

  std::unique_ptr<RocksdbEngine> opened() {
    auto engine = std::make_unique<RocksdbEngine>();
    const Status status = engine->open(context_);
    EXPECT_TRUE(status.is_ok()) << status.to_string();
    return engine;
  }

  std::string largest_log() const {
    std::string found;
    std::uintmax_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(root_ + "/engine")) {
      if (entry.path().extension() != ".log" || entry.file_size() <= bytes) continue;
      bytes = entry.file_size();
      found = entry.path().string();
    }
    return found;
  }
};

// As a disk leaves a log that nobody synced, when it wrote back its end before its middle.
TEST_F(RocksdbRecovery, what_survives_behind_a_hole_in_the_log_is_left_out) {
  auto engine = opened();
  for (int i = 0; i < rows; ++i) write(*engine, i);
  ASSERT_EQ(engine->close(), ok_status());
  {
    std::fstream log(largest_log(), std::ios::in | std::ios::out | std::ios::binary);
    log.seekp(2 * log_block_bytes);
    log << std::string(log_block_bytes, '\0');
    ASSERT_TRUE(log.good());
    ASSERT_EQ(std::filesystem::file_size(largest_log()), rows * log_block_bytes);
  }
  engine = opened();
  EXPECT_EQ(prefix(*engine), 2);

  // What is written now stays, and what was left out does not come back.
  write(*engine, 2);
  ASSERT_EQ(engine->close(), ok_status());
  EXPECT_EQ(prefix(*opened()), 3);
}

TEST_F(RocksdbRecovery, a_hole_right_behind_the_head_of_a_log_is_seen) {
  auto engine = opened();
  write(*engine, 0);
  ASSERT_EQ(engine->close(), ok_status());
  engine = opened();
  for (int i = 1; i < rows; ++i) write(*engine, i);
  ASSERT_EQ(engine->close(), ok_status());
  {
    std::fstream log(largest_log(), std::ios::in | std::ios::out | std::ios::binary);
    log.seekp(begin_bytes);
    log << std::string(2 * log_block_bytes - begin_bytes, '\0');
    ASSERT_TRUE(log.good());
  }
  EXPECT_EQ(prefix(*opened()), 1);
}

TEST_F(RocksdbRecovery, a_whole_log_is_replayed_to_its_end) {
  auto engine = opened();
  for (int i = 0; i < rows; ++i) write(*engine, i);
  ASSERT_EQ(engine->drop_range({"x", "y"}), ok_status());
  WriteBatch merges;
  merges.merge("merged", "one");
  merges.merge("merged", "two");
  merges.remove("merged");
  ASSERT_TRUE(engine->write(merges, MayBlock::yes));
  write(*engine, rows);
  ASSERT_EQ(engine->close(), ok_status());
  EXPECT_EQ(prefix(*opened()), rows + 1);
}

TEST_F(RocksdbRecovery, options_that_would_break_it_are_refused) {
  for (const char* const option : {"wal_filter", "avoid_flush_during_recovery"}) {
    context_.options = {{option, "true"}};
    RocksdbEngine engine;
    const Status status = engine.open(context_);
    EXPECT_EQ(status.code(), Code::invalid) << option;
    EXPECT_NE(status.message().find("not to be set"), std::string::npos) << status.to_string();
  }
}

}  // namespace
}  // namespace ringwright
