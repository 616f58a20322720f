#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "engine/base/coding.h"
#include "engine/base/hash.h"
#include "engine/memory/memory_engine.h"
#include "tests/support/faulty_disk.h"
#include "tests/support/temporary_disk.h"
#include "tests/support/words_policy.h"

namespace ringwright {
namespace {

// Writes numbered rows: write i puts k<i> = i. So a prefix of the writes is a prefix of the rows.
class MemoryLog : public testing::Test {
 protected:
  std::unique_ptr<StorageEngine> open(Durability durability, Status* status = nullptr) {
    auto engine = std::make_unique<MemoryEngine>();
    const Status opened =
        engine->open({"engine", {}, durability, std::make_shared<WordsPolicy>(), disk_});
    if (status != nullptr)
      *status = opened;
    else
      EXPECT_TRUE(opened.is_ok()) << opened.to_string();
    return opened.is_ok() ? std::move(engine) : nullptr;
  }

  static Bytes key(int i) { return "k" + std::to_string(1000 + i); }

  static Result<std::uint64_t> put(StorageEngine& engine, int i, std::size_t size = 20) {
    WriteBatch batch;
    batch.put(key(i), Bytes(size, 'v'));
    batch.put("z" + key(i), "beside it");
    return engine.write(batch, MayBlock::yes);
  }

  // How many writes are there, when they are a prefix; else -1.
  static int prefix(StorageEngine& engine) {
    int count = 0;
    const auto rows = engine.iterate({"k", "l"}, Direction::forward);
    for (; rows->valid(); rows->next())
      if (rows->key() != key(count++)) return -1;
    const auto beside = engine.iterate({"zk", "zl"}, Direction::forward);
    int pairs = 0;
    for (; beside->valid(); beside->next())
      if (beside->key() != "z" + key(pairs++)) return -1;
    return pairs == count ? count : -1;
  }

  static void live(StorageEngine& engine, int& synced, int& tried);

  std::vector<std::string> log_files() {
    const auto names = disk_->list("engine");
    return names ? *names : std::vector<std::string>{};
  }

  std::shared_ptr<FaultyDisk> disk_ = std::make_shared<FaultyDisk>(make_temporary_disk());
};

// Writes, syncs and flushes until something fails, and on: nothing may succeed after that.
// `synced` and `tried` say how many writes must and may be there at the next open.
void MemoryLog::live(StorageEngine& engine, int& synced, int& tried) {
  bool stopped = false;
  int shown = tried;
  for (int step = 0; step < 5; ++step) {
    const auto written = put(engine, shown);
    ASSERT_FALSE(stopped && written.has_value()) << "a write came through after a failure";
    if (written) tried = ++shown;
    if (!stopped && written.status().code() == Code::in_doubt) tried = shown + 1;
    stopped = stopped || !written;
    ASSERT_EQ(prefix(engine), shown) << "what shows is what was acknowledged";
    const Status status = engine.sync(~std::uint64_t{0}, MayBlock::yes);
    ASSERT_FALSE(stopped && status.is_ok()) << "a sync came through after a failure";
    if (status.is_ok()) synced = shown;
    stopped = stopped || !status.is_ok();
    if (step != 2) continue;
    const Status flushed = engine.flush();
    ASSERT_FALSE(stopped && flushed.is_ok()) << "a flush came through after a failure";
  }
}

TEST_F(MemoryLog, survives_any_one_failing_disk_call) {
  for (const auto half : {FaultyDisk::Half::nothing_done, FaultyDisk::Half::done_all_the_same}) {
    bool fired = true;
    for (std::uint64_t n = 1; fired; ++n) {
      ASSERT_LT(n, 200u);
      SCOPED_TRACE("call " + std::to_string(n) + " fails, half " +
                   std::to_string(static_cast<int>(half)));
      disk_ = std::make_shared<FaultyDisk>(make_temporary_disk());
      disk_->fail_nth(n, half);
      int synced = 0;
      int tried = 0;
      for (int life_number = 0; life_number < 2; ++life_number) {
        Status status;
        const auto engine = open(Durability::disk, &status);
        if (!engine) continue;
        const int found = prefix(*engine);
        ASSERT_GE(found, synced);
        ASSERT_LE(found, tried);
        tried = found;
        live(*engine, synced, tried);
        if (HasFatalFailure()) return;
        ASSERT_EQ(engine->close(), ok_status());
      }
      fired = disk_->fired();
      disk_->fail_nth(0);
      const auto engine = open(Durability::disk);
      ASSERT_NE(engine, nullptr);
      ASSERT_GE(prefix(*engine), synced);
    }
  }
}

TEST_F(MemoryLog, a_failed_append_is_in_doubt_and_ends_writing) {
  const auto engine = open(Durability::os);
  ASSERT_TRUE(put(*engine, 0));
  EXPECT_EQ(engine->pressure(), 0);
  disk_->fail_nth(1, FaultyDisk::Half::done_all_the_same);
  EXPECT_EQ(put(*engine, 1).status().code(), Code::in_doubt);
  EXPECT_EQ(prefix(*engine), 1);
  EXPECT_EQ(engine->pressure(), 1);
  EXPECT_EQ(put(*engine, 1).status().code(), Code::io_error);
  EXPECT_EQ(engine->sync(1, MayBlock::no).code(), Code::io_error);
  EXPECT_EQ(engine->flush().code(), Code::io_error);
  EXPECT_EQ(engine->drop_range({}).code(), Code::io_error);
  ASSERT_EQ(engine->close(), ok_status());
  const auto reopened = open(Durability::os);
  EXPECT_EQ(prefix(*reopened), 2) << "the bytes were in the file after all";
  EXPECT_TRUE(put(*reopened, 2));
}

TEST_F(MemoryLog, out_of_space_has_no_effect_and_passes) {
  const auto engine = open(Durability::disk);
  ASSERT_TRUE(put(*engine, 0));
  disk_->fail_nth(1, FaultyDisk::Half::nothing_done, Code::no_space);
  EXPECT_EQ(put(*engine, 1).status().code(), Code::no_space);
  EXPECT_EQ(prefix(*engine), 1);
  ASSERT_TRUE(put(*engine, 1));
  ASSERT_EQ(engine->sync(~std::uint64_t{0}, MayBlock::yes), ok_status());
  ASSERT_EQ(engine->close(), ok_status());
  EXPECT_EQ(prefix(*open(Durability::disk)), 2);
}

TEST_F(MemoryLog, one_sync_covers_all_writes_before_it) {
  const auto engine = open(Durability::disk);
  std::uint64_t last = 0;
  for (int i = 0; i < 10; ++i) last = put(*engine, i).value();
  EXPECT_EQ(engine->sync(3, MayBlock::no).code(), Code::would_block);
  const std::uint64_t before = disk_->syncs();
  ASSERT_EQ(engine->sync(3, MayBlock::yes), ok_status());
  for (std::uint64_t sequence = 1; sequence <= last; ++sequence)
    EXPECT_EQ(engine->sync(sequence, MayBlock::no), ok_status());
  EXPECT_EQ(disk_->syncs(), before + 1);
  ASSERT_TRUE(put(*engine, 10));
  EXPECT_EQ(engine->sync(last + 1, MayBlock::no).code(), Code::would_block);
}

TEST_F(MemoryLog, class_os_never_syncs) {
  const auto engine = open(Durability::os);
  const std::uint64_t before = disk_->syncs();
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(engine->sync(put(*engine, i).value(), MayBlock::no), ok_status());
  EXPECT_EQ(disk_->syncs(), before);
}

TEST_F(MemoryLog, many_threads_share_syncs) {
  const auto engine = open(Durability::disk);
  constexpr int per_thread = 50;
  std::atomic<int> failed = 0;
  std::vector<std::thread> threads;
  for (int id = 0; id < 4; ++id)
    threads.emplace_back([&, id] {
      for (int i = 0; i < per_thread; ++i) {
        const auto written = put(*engine, id * per_thread + i);
        if (!written || !engine->sync(*written, MayBlock::yes).is_ok()) ++failed;
        if (i == 25 && id == 0 && !engine->flush().is_ok()) ++failed;
      }
    });
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(failed, 0);
  ASSERT_EQ(engine->close(), ok_status());
  EXPECT_EQ(prefix(*open(Durability::disk)), 4 * per_thread);
}

TEST_F(MemoryLog, flush_leaves_one_file_with_the_next_number) {
  auto engine = open(Durability::os);
  EXPECT_EQ(log_files(), (std::vector<std::string>{"ENGINE", "log.1"}));
  ASSERT_TRUE(put(*engine, 0));
  ASSERT_EQ(engine->flush(), ok_status());
  EXPECT_EQ(log_files(), (std::vector<std::string>{"ENGINE", "log.2"}));
  ASSERT_EQ(engine->flush(), ok_status());
  EXPECT_EQ(log_files(), (std::vector<std::string>{"ENGINE", "log.2"})) << "nothing to do";
  ASSERT_TRUE(put(*engine, 1));
  ASSERT_EQ(engine->close(), ok_status());
  EXPECT_EQ(prefix(*open(Durability::os)), 2);
}

TEST_F(MemoryLog, open_takes_the_newest_file_and_removes_older_ones) {
  auto engine = open(Durability::os);
  ASSERT_TRUE(put(*engine, 0));
  const Bytes old = disk_->read("engine/log.1").value();
  ASSERT_TRUE(put(*engine, 1));
  ASSERT_EQ(engine->flush(), ok_status());
  ASSERT_EQ(engine->close(), ok_status());
  ASSERT_EQ(disk_->replace("engine/log.1", old), ok_status());
  engine = open(Durability::os);
  EXPECT_EQ(prefix(*engine), 2);
  EXPECT_EQ(log_files(), (std::vector<std::string>{"ENGINE", "log.2"}));
}

TEST_F(MemoryLog, open_rewrites_a_log_that_is_mostly_dead_rows) {
  auto engine = open(Durability::os);
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(put(*engine, 0, 100'000));
  ASSERT_EQ(engine->close(), ok_status());
  engine = open(Durability::os);
  EXPECT_EQ(log_files(), (std::vector<std::string>{"ENGINE", "log.2"}));
  EXPECT_LT(engine->stats().disk_bytes, 200'000u);
  EXPECT_EQ(prefix(*engine), 1);
  const auto next = put(*engine, 1);
  ASSERT_TRUE(next);
  EXPECT_EQ(*next, 31u) << "sequences go on";
}

TEST_F(MemoryLog, torn_tail_is_cut_and_writing_goes_on) {
  auto engine = open(Durability::os);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(put(*engine, i));
  ASSERT_EQ(engine->close(), ok_status());
  const Bytes log = disk_->read("engine/log.1").value();
  ASSERT_EQ(disk_->truncate("engine/log.1", log.size() - 5), ok_status());
  engine = open(Durability::os);
  EXPECT_EQ(prefix(*engine), 2);
  ASSERT_TRUE(put(*engine, 2));
  ASSERT_EQ(engine->close(), ok_status());
  EXPECT_EQ(prefix(*open(Durability::os)), 3);
}

TEST_F(MemoryLog, damage_in_the_middle_refuses_to_open_and_changes_nothing) {
  auto engine = open(Durability::os);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(put(*engine, i));
  ASSERT_EQ(engine->close(), ok_status());
  Bytes log = disk_->read("engine/log.1").value();
  log[log_header_bytes + 20] ^= 1;
  ASSERT_EQ(disk_->replace("engine/log.1", log), ok_status());
  Status status;
  EXPECT_EQ(open(Durability::os, &status), nullptr);
  EXPECT_EQ(status.code(), Code::corrupt);
  EXPECT_NE(status.message().find("engine/log.1' at byte 32"), std::string::npos)
      << status.to_string();
  EXPECT_EQ(disk_->read("engine/log.1").value(), log);
}

// Write 1 was synced, 2 to 4 were not: the disk has lost 2 and kept 3 and 4.
TEST_F(MemoryLog, what_survives_behind_a_hole_in_the_unsynced_tail_is_cut_off) {
  auto engine = open(Durability::disk);
  ASSERT_TRUE(put(*engine, 0));
  ASSERT_EQ(engine->sync(~std::uint64_t{0}, MayBlock::yes), ok_status());
  const std::size_t synced = disk_->read("engine/log.1").value().size();
  ASSERT_TRUE(put(*engine, 1));
  const std::size_t hole_end = disk_->read("engine/log.1").value().size();
  for (int i = 2; i < 4; ++i) ASSERT_TRUE(put(*engine, i));
  ASSERT_EQ(engine->close(), ok_status());
  Bytes log = disk_->read("engine/log.1").value();
  log.replace(synced, hole_end - synced, hole_end - synced, '\0');
  ASSERT_EQ(disk_->replace("engine/log.1", log), ok_status());
  engine = open(Durability::disk);
  ASSERT_NE(engine, nullptr);
  EXPECT_EQ(prefix(*engine), 1);

  // A hole in what was synced is damage all the same.
  ASSERT_TRUE(put(*engine, 1));
  ASSERT_EQ(engine->sync(~std::uint64_t{0}, MayBlock::yes), ok_status());
  ASSERT_TRUE(put(*engine, 2));
  ASSERT_EQ(engine->close(), ok_status());
  const std::string name = "engine/" + log_files().back();
  log = disk_->read(name).value();
  const std::size_t last_two = 2 * (hole_end - synced);
  log[log.size() - last_two + 20] ^= 1;
  ASSERT_EQ(disk_->replace(name, log), ok_status());
  Status status;
  EXPECT_EQ(open(Durability::disk, &status), nullptr);
  EXPECT_EQ(status.code(), Code::corrupt) << status.to_string();
}

TEST_F(MemoryLog, a_dropped_range_is_as_durable_as_the_class_when_it_returns) {
  auto engine = open(Durability::disk);
  ASSERT_TRUE(put(*engine, 0));
  const std::uint64_t before = disk_->syncs();
  ASSERT_EQ(engine->drop_range({"a", "b"}), ok_status());
  EXPECT_EQ(disk_->syncs(), before + 1);
}

TEST_F(MemoryLog, a_log_of_format_1_is_read_and_written_anew) {
  ASSERT_EQ(open(Durability::os)->close(), ok_status());
  Bytes log = "rwmemlog";
  put_u32(log, 1);
  put_u64(log, 0);
  put_u64(log, 0);
  put_u32(log, checksum32(log));
  Bytes guarded;
  put_u64(guarded, 1);
  guarded += Bytes("\x01\x00\x03old\x03row", 10);
  put_u32(log, static_cast<std::uint32_t>(guarded.size() - 8));
  put_u32(log, checksum32(guarded));
  ASSERT_EQ(disk_->replace("engine/log.1", log + guarded), ok_status());
  ASSERT_EQ(disk_->replace("engine/ENGINE", "ringwright-engine 1\nengine memory\nformat 1\n"),
            ok_status());
  auto engine = open(Durability::os);
  ASSERT_NE(engine, nullptr);
  ASSERT_TRUE(put(*engine, 0));
  ASSERT_EQ(engine->close(), ok_status());
  EXPECT_EQ(disk_->read("engine/log.2").value()[8], 2);
  engine = open(Durability::os);
  ASSERT_NE(engine, nullptr);
  EXPECT_EQ(prefix(*engine), 1);
  const Bytes old_key = "old";
  EXPECT_EQ(engine->multi_get({&old_key, 1}, MayBlock::yes)[0].value(), "row");
}

TEST_F(MemoryLog, newer_formats_refuse_to_open) {
  ASSERT_EQ(open(Durability::os)->close(), ok_status());
  Bytes log = disk_->read("engine/log.1").value();
  log[8] = 9;
  ASSERT_EQ(disk_->replace("engine/log.1", log), ok_status());
  Status status;
  open(Durability::os, &status);
  EXPECT_EQ(status.code(), Code::mismatch) << status.to_string();
  ASSERT_EQ(disk_->replace("engine/ENGINE", "ringwright-engine 1\nengine memory\nformat 9\n"),
            ok_status());
  open(Durability::os, &status);
  EXPECT_EQ(status.code(), Code::mismatch) << status.to_string();
  ASSERT_EQ(disk_->replace("engine/ENGINE", "nonsense"), ok_status());
  open(Durability::os, &status);
  EXPECT_EQ(status.code(), Code::corrupt) << status.to_string();
}

TEST_F(MemoryLog, a_directory_with_other_files_is_not_taken) {
  ASSERT_EQ(disk_->make_directories("engine"), ok_status());
  ASSERT_EQ(disk_->replace("engine/letters.txt", "dear"), ok_status());
  Status status;
  open(Durability::os, &status);
  EXPECT_EQ(status.code(), Code::mismatch) << status.to_string();
}

}  // namespace
}  // namespace ringwright
