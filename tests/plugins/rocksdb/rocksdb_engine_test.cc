#include <rocksdb/env.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/registry.h"
#include "tests/plugins/rocksdb/rocksdb_test_support.h"

namespace ringwright {
namespace {

TEST(RocksdbPluginTest, loads_by_name_through_the_registry) {
  const auto engine = registry().create<StorageEngine>("rocksdb");
  ASSERT_TRUE(engine.has_value()) << engine.status().to_string();
  EXPECT_EQ((*engine)->name(), "rocksdb");
  bool from_plugin = false;
  for (const Registry::Part& part : registry().parts())
    from_plugin =
        from_plugin || (part.name == "rocksdb" && part.origin.ends_with("ringwright_rocksdb.so"));
  EXPECT_TRUE(from_plugin);
}

TEST_F(RocksdbTest, keeps_rows_over_a_reopen) {
  ASSERT_TRUE(open().is_ok());
  WriteBatch batch;
  batch.put("a", "1");
  batch.put("b", "2");
  batch.remove("a");
  write(batch);
  put(Bytes("\0\xff", 2), Bytes("\0", 1));
  reopen();
  EXPECT_EQ(shown("a"), "absent");
  EXPECT_EQ(shown("b"), "2");
  EXPECT_EQ(shown(Bytes("\0\xff", 2)), Bytes("\0", 1));
}

TEST_F(RocksdbTest, answers_many_keys_in_order) {
  ASSERT_TRUE(open().is_ok());
  std::vector<Bytes> keys;
  for (int i = 0; i < 100; ++i) {
    keys.push_back("key" + std::to_string(i * 7919 % 100));
    if (i % 3 != 0) put(keys.back(), "row of " + keys.back());
  }
  for (const bool flushed : {false, true}) {
    const Status rested = flushed ? engine_->flush() : ok_status();
    ASSERT_TRUE(rested.is_ok());
    const auto answers = engine_->multi_get(keys, MayBlock::yes);
    ASSERT_EQ(answers.size(), keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      ASSERT_TRUE(answers[i].has_value());
      EXPECT_EQ(answers[i]->value_or("absent"), i % 3 != 0 ? "row of " + keys[i] : "absent");
    }
  }
}

TEST_F(RocksdbTest, refuses_a_disk_without_directories) {
  context_.disk = nullptr;
  EXPECT_EQ(open().code(), Code::invalid);
}

TEST_F(RocksdbTest, refuses_merges_without_a_policy) {
  context_.policy = nullptr;
  ASSERT_TRUE(open().is_ok());
  EXPECT_FALSE(engine_->capabilities().merge);
  WriteBatch batch;
  batch.put("a", "1");
  batch.merge("a", "2");
  EXPECT_EQ(engine_->write(batch, MayBlock::yes).status().code(), Code::invalid);
  EXPECT_EQ(shown("a"), "absent");
}

TEST_F(RocksdbTest, sequences_grow_and_a_covered_sync_needs_no_io) {
  context_.durability = Durability::disk;
  ASSERT_TRUE(open().is_ok());
  const std::uint64_t first = put("a", "1");
  const std::uint64_t second = put("b", "2");
  EXPECT_LT(first, second);
  EXPECT_EQ(engine_->sync(first, MayBlock::no).code(), Code::would_block);
  EXPECT_TRUE(engine_->sync(first, MayBlock::yes).is_ok());
  EXPECT_TRUE(engine_->sync(second, MayBlock::no).is_ok());  // one sync for all before it
  EXPECT_EQ(engine_->sync(put("c", "3"), MayBlock::no).code(), Code::would_block);
}

TEST_F(RocksdbTest, weaker_classes_sync_at_once) {
  for (const Durability durability : {Durability::none, Durability::os}) {
    context_.durability = durability;
    context_.path = durability_name(durability);
    ASSERT_TRUE(open().is_ok());
    EXPECT_TRUE(engine_->sync(put("a", "1"), MayBlock::no).is_ok());
  }
}

TEST_F(RocksdbTest, close_is_no_flush) {
  context_.durability = Durability::none;
  ASSERT_TRUE(open().is_ok());
  put("flushed", "1");
  ASSERT_TRUE(engine_->flush().is_ok());
  put("unflushed", "1");
  reopen();
  EXPECT_EQ(shown("flushed"), "1");
  EXPECT_EQ(shown("unflushed"), "absent");
}

// RocksDB counts a write that it refused for being delayed as one that was made: who only asks
// again and again is delayed for ever.
TEST_F(RocksdbTest, delayed_writers_come_through) {
  constexpr int goal = 2600;  // writes begin to be delayed at some 2000
  context_.durability = Durability::none;
  context_.options["write_buffer_size"] = "100KiB";
  context_.options["compaction_style"] = "kCompactionStyleUniversal";
  context_.options["level0_file_num_compaction_trigger"] = "2";
  context_.options["level0_slowdown_writes_trigger"] = "2";
  context_.options["level0_stop_writes_trigger"] = "3";
  ASSERT_TRUE(open().is_ok());
  std::atomic<int> written{0};
  std::atomic<bool> ends{false};
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  std::vector<std::thread> threads;
  for (int writer = 0; writer < 4; ++writer) {
    threads.emplace_back([&, writer] {
      for (int i = 0; !ends; ++i) {
        WriteBatch batch;
        batch.put("key" + std::to_string(writer) + "/" + std::to_string(i), Bytes(400, 'v'));
        if (!engine_->write(batch, MayBlock::yes)) break;
        ++written;
      }
    });
  }
  while (written < goal && std::chrono::steady_clock::now() < deadline) {
    EXPECT_TRUE(engine_->flush().is_ok());
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_GE(written, goal);
  ends = true;
  EXPECT_TRUE(engine_->close().is_ok());
  for (std::thread& thread : threads) thread.join();
}

// Runs in a process of its own: the statement is executed by a fresh copy of this program, which
// finds the directory in the environment.
std::string crash_directory() {
  constexpr const char* variable = "RINGWRIGHT_TEST_CRASH_DIRECTORY";
  if (const char* const inherited = ::getenv(variable)) return inherited;
  std::string path = testing::TempDir() + "ringwright-crash-XXXXXX";
  EXPECT_NE(::mkdtemp(path.data()), nullptr);
  ::setenv(variable, path.c_str(), 1);
  return path;
}

constexpr int crash_writes = 2000;

EngineContext crash_context(const std::string& root, Durability durability) {
  EngineContext context;
  context.disk = make_posix_disk(root);
  context.path = durability_name(durability);
  context.durability = durability;
  context.options["write_buffer_size"] = "64KiB";  // so that there are tables, and several logs
  return context;
}

[[noreturn]] void write_and_die(const std::string& root, Durability durability) {
  RocksdbEngine engine;
  if (!engine.open(crash_context(root, durability)).is_ok()) ::exit(1);
  for (int i = 0; i < crash_writes; ++i) {
    WriteBatch batch;
    batch.put("key" + std::to_string(i), Bytes(200, 'v'));
    if (!engine.write(batch, MayBlock::yes)) ::exit(1);
  }
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

// How many rows are left, and whether they are those written first.
std::pair<int, bool> survivors(const std::string& root, Durability durability) {
  RocksdbEngine engine;
  EXPECT_TRUE(engine.open(crash_context(root, durability)).is_ok());
  int count = 0;
  bool is_prefix = true;
  for (int i = 0; i < crash_writes; ++i) {
    const Bytes key = "key" + std::to_string(i);
    const auto answer = engine.multi_get(std::span(&key, 1), MayBlock::yes).front();
    const bool found = answer && answer->has_value();
    is_prefix = is_prefix && (!found || count == i);
    count += found ? 1 : 0;
  }
  return {count, is_prefix};
}

TEST(RocksdbCrashTest, killed_process_keeps_what_its_class_promises) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const std::string root = crash_directory();
  EXPECT_EXIT(write_and_die(root, Durability::os), testing::KilledBySignal(SIGKILL), "");
  EXPECT_EXIT(write_and_die(root, Durability::none), testing::KilledBySignal(SIGKILL), "");
  EXPECT_EQ(survivors(root, Durability::os), std::pair(crash_writes, true));
  const auto [unlogged, is_prefix] = survivors(root, Durability::none);
  EXPECT_TRUE(is_prefix);
  EXPECT_LT(unlogged, crash_writes);
  std::filesystem::remove_all(root);
  ::unsetenv("RINGWRIGHT_TEST_CRASH_DIRECTORY");
}

TEST_F(RocksdbTest, a_read_that_needs_io_would_block) {
  ASSERT_TRUE(open().is_ok());
  std::vector<Bytes> keys;
  for (int i = 0; i < 40; ++i) keys.push_back("key" + std::to_string(i));
  for (const Bytes& key : keys) put(key, "cold");
  ASSERT_TRUE(engine_->flush().is_ok());
  reopen();
  put("hot", "in memory");
  EXPECT_EQ(shown("key1", MayBlock::no), "would_block");
  EXPECT_EQ(shown("hot", MayBlock::no), "in memory");
  EXPECT_EQ(shown("never written", MayBlock::no), "absent");

  keys.push_back("hot");
  const auto cold = engine_->multi_get(keys, MayBlock::no);
  EXPECT_EQ(cold[0].status().code(), Code::would_block);
  EXPECT_TRUE(cold.back().has_value());

  EXPECT_EQ(shown("key1"), "cold");
  EXPECT_EQ(shown("key1", MayBlock::no), "cold");
}

// Holds all of RocksDB's compaction threads until it is destroyed.
class CompactionPause {
 public:
  CompactionPause() {
    rocksdb::Env* const env = rocksdb::Env::Default();
    threads_ = env->GetBackgroundThreads(rocksdb::Env::LOW);
    for (int i = 0; i < threads_; ++i)
      env->Schedule(&CompactionPause::hold, this, rocksdb::Env::LOW);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return held_ == threads_; });
  }
  ~CompactionPause() {
    std::unique_lock lock(mutex_);
    released_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return held_ == 0; });
  }
  CompactionPause(const CompactionPause&) = delete;
  CompactionPause& operator=(const CompactionPause&) = delete;

 private:
  static void hold(void* pause) {
    auto& self = *static_cast<CompactionPause*>(pause);
    std::unique_lock lock(self.mutex_);
    ++self.held_;
    self.changed_.notify_all();
    self.changed_.wait(lock, [&] { return self.released_; });
    --self.held_;
    self.changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int threads_ = 0;
  int held_ = 0;
  bool released_ = false;
};

TEST_F(RocksdbTest, a_write_that_would_stall_would_block_and_did_nothing) {
  context_.options["write_buffer_size"] = "64KiB";
  context_.options["level0_file_num_compaction_trigger"] = "2";
  context_.options["level0_slowdown_writes_trigger"] = "3";
  context_.options["level0_stop_writes_trigger"] = "4";
  ASSERT_TRUE(open().is_ok());
  EXPECT_EQ(engine_->pressure(), 0);
  Bytes refused;
  {
    const CompactionPause pause;
    for (int i = 0; i < 100000 && refused.empty(); ++i) {
      WriteBatch batch;
      const Bytes key = "key" + std::to_string(i);
      batch.put(key, Bytes(500, 'v'));
      const auto written = engine_->write(batch, MayBlock::no);
      if (written) continue;
      ASSERT_EQ(written.error().code(), Code::would_block) << written.error().to_string();
      refused = key;
    }
    ASSERT_FALSE(refused.empty());
    EXPECT_GE(engine_->pressure(), 0.7);
    EXPECT_EQ(shown(refused), "absent");
    EXPECT_EQ(shown("key0").size(), 500u);
  }
  put(refused, "later");
  EXPECT_EQ(shown(refused), "later");
}

TEST_F(RocksdbTest, a_second_holder_finds_the_directory_locked) {
  ASSERT_TRUE(open().is_ok());
  RocksdbEngine second;
  const Status refused = second.open(context_);
  EXPECT_EQ(refused.code(), Code::locked);
  EXPECT_NE(refused.message().find(real_directory()), std::string::npos) << refused.message();
}

TEST_F(RocksdbTest, calls_after_close_answer_closed) {
  ASSERT_TRUE(open().is_ok());
  put("a", "1");
  const auto iterator = engine_->iterate({}, Direction::forward);
  ASSERT_TRUE(iterator->valid());
  ASSERT_TRUE(engine_->close().is_ok());
  EXPECT_EQ(iterator->key(), "a");
  EXPECT_EQ(iterator->value(), "1");
  iterator->next();
  EXPECT_FALSE(iterator->valid());
  EXPECT_EQ(iterator->status().code(), Code::closed);
  EXPECT_TRUE(engine_->close().is_ok());
  EXPECT_EQ(shown("a"), "closed");
  EXPECT_EQ(engine_->write(WriteBatch(), MayBlock::yes).status().code(), Code::closed);
  EXPECT_EQ(engine_->sync(0, MayBlock::yes).code(), Code::closed);
  EXPECT_EQ(engine_->flush().code(), Code::closed);
  EXPECT_EQ(engine_->drop_range({}).code(), Code::closed);
  EXPECT_EQ(engine_->checkpoint("copy").code(), Code::closed);
  EXPECT_EQ(engine_->iterate({}, Direction::forward)->status().code(), Code::closed);
  EXPECT_EQ(engine_->open(context_).code(), Code::closed);
}

TEST_F(RocksdbTest, close_waits_for_the_calls_inside) {
  context_.durability = Durability::disk;
  ASSERT_TRUE(open().is_ok());
  std::atomic<int> started{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t) {
    callers.emplace_back([&, t] {
      ++started;
      const Bytes key = "key" + std::to_string(t);
      for (;;) {
        WriteBatch batch;
        batch.put(key, key);
        const auto written = engine_->write(batch, MayBlock::yes);
        if (!written) {
          EXPECT_EQ(written.error().code(), Code::closed);
          return;
        }
        const Status synced = engine_->sync(*written, MayBlock::yes);
        EXPECT_TRUE(synced.is_ok() || synced.code() == Code::closed) << synced.to_string();
        const std::string row = shown(key);
        EXPECT_TRUE(row == key || row == "closed") << row;
      }
    });
  }
  while (started < 4) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_TRUE(engine_->close().is_ok());
  for (std::thread& caller : callers) caller.join();
}

}  // namespace
}  // namespace ringwright
