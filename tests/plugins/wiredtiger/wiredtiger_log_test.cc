#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>

#include "engine/base/limits.h"
#include "plugins/wiredtiger/convert.h"
#include "plugins/wiredtiger/events.h"
#include "tests/plugins/wiredtiger/wiredtiger_test_support.h"

namespace ringwright {
namespace {

// How much of a file the system has in memory.
std::size_t cached_bytes(const std::filesystem::path& path) {
  const std::size_t size = std::filesystem::file_size(path);
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> is_cached((size + page - 1) / page);
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  void* const at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0);
  RW_CHECK(at != MAP_FAILED && ::mincore(at, size, is_cached.data()) == 0);
  ::munmap(at, size);
  ::close(file);
  return page * static_cast<std::size_t>(
                    std::count_if(is_cached.begin(), is_cached.end(),
                                  [](unsigned char each) { return (each & 1) != 0; }));
}

TEST_F(WiredtigerTest, the_log_stays_bounded_while_it_is_written) {
  context_.options["checkpoint"] = "(wait=0,log_size=1MiB)";
  ASSERT_EQ(open(), ok_status());
  const auto log_files = [&] { return files_starting("WiredTigerLog.").size(); };
  // Forty times the log that a checkpoint waits for; a file each time that is not removed.
  constexpr int rows = 40'000;
  for (int i = 0; i < rows; ++i) {
    put("k" + std::to_string(i % 1000), Bytes(1000, 'v'));
    // Nobody is faster than the background for long.
    if (i % 1000 == 0) {
      ASSERT_TRUE(eventually([&] { return log_files() <= 8; })) << i;
    }
  }
  EXPECT_TRUE(eventually([&] { return log_files() <= 3; }));
  EXPECT_NE(message_log().find("checkpoint of"), std::string::npos) << message_log();
}

TEST_F(WiredtigerTest, a_checkpoint_comes_with_time_too_and_not_without_writes) {
  context_.options["checkpoint"] = "(wait=1)";
  ASSERT_EQ(open(), ok_status());
  put("a", "1");
  const auto checkpoints = [&] {
    const std::string text = message_log();
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find("checkpoint of", at)) != text.npos; ++at) ++count;
    return count;
  };
  EXPECT_TRUE(eventually([&] { return checkpoints() == 1; })) << message_log();
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  EXPECT_EQ(checkpoints(), 1u) << "nothing was written";
  put("a", "2");
  EXPECT_TRUE(eventually([&] { return checkpoints() == 2; }));
}

// What a recovery has read makes each write after it dear.
TEST_F(WiredtigerTest, an_open_leaves_no_log_that_it_has_read_in_memory) {
  struct statfs system {};
  ASSERT_EQ(::statfs(disk_->real_path("").c_str(), &system), 0);
  if (system.f_type == TMPFS_MAGIC) GTEST_SKIP() << "files are nowhere but in memory";
  ASSERT_EQ(open(), ok_status());
  put("a", "1");
  reopen();
  std::size_t cached = 0;
  std::size_t all = 0;
  for (const auto& log : files_starting("WiredTigerLog.")) {
    cached += cached_bytes(log);
    all += std::filesystem::file_size(log);
  }
  EXPECT_GE(all, std::size_t{1} << 20);
  EXPECT_LT(cached, std::size_t{64} << 10) << "of " << all;
}

// Power was lost right after WiredTiger had begun another log.
TEST_F(WiredtigerTest, a_log_of_which_only_the_head_is_there_ends_the_recovery_in_order) {
  context_.durability = Durability::disk;
  ASSERT_EQ(open(), ok_status());
  ASSERT_EQ(engine_->sync(put("a", "1"), MayBlock::yes), ok_status());
  const std::string crashed = disk_->real_path("crashed");
  // WiredTiger's threads make and rename files meanwhile.
  ASSERT_TRUE(eventually([&] {
    std::error_code error;
    std::filesystem::remove_all(crashed);
    std::filesystem::copy(real_directory(), crashed, error);
    return !error;
  }));

  auto logs = files_starting("WiredTigerLog.");
  ASSERT_FALSE(logs.empty());
  std::sort(logs.begin(), logs.end());
  std::string last = logs.back().filename().string();
  Bytes head(128, '\0');
  std::ifstream(logs.back(), std::ios::binary).read(head.data(), 128);
  ASSERT_NE(last.back(), '9');
  ++last.back();
  std::ofstream(crashed + "/" + last, std::ios::binary) << head;

  ASSERT_EQ(engine_->close(), ok_status());
  context_.path = "crashed";
  const Status opened = open();
  ASSERT_TRUE(opened.is_ok()) << opened.to_string();
  EXPECT_EQ(shown("a"), "1");
}

TEST_F(WiredtigerTest, nothing_is_said_on_stderr_or_stdout) {
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  ASSERT_EQ(open(), ok_status());
  put("a", "1");
  ASSERT_EQ(engine_->close(), ok_status());
  ASSERT_TRUE(std::filesystem::remove(real_file("rows.wt")));
  std::ofstream(real_file("rows.wt")) << "not a file of WiredTiger's";
  EXPECT_EQ(open().code(), Code::corrupt);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_NE(message_log().find("rows.wt"), std::string::npos) << message_log();
}

TEST_F(WiredtigerTest, messages_stay_small) {
  ASSERT_EQ(disk_->make_directories("log"), ok_status());
  Events events(disk_->real_path("log"), nullptr);
  const std::string line(1000, 'x');
  for (std::size_t i = 0; i < 5 * limits::wiredtiger_log_bytes_max / line.size(); ++i)
    events.note(line);
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(disk_->real_path("log")))
    bytes += entry.file_size();
  EXPECT_LE(bytes, 2 * limits::wiredtiger_log_bytes_max + 2000);
  EXPECT_GT(bytes, limits::wiredtiger_log_bytes_max);
}

TEST(WiredtigerConvertTest, errors_in_the_words_of_the_contract) {
  EXPECT_EQ(to_status(0, "x").code(), Code::ok);
  EXPECT_EQ(to_status(WT_ROLLBACK, "x").code(), Code::busy);
  EXPECT_EQ(to_status(WT_CACHE_FULL, "x").code(), Code::busy);
  EXPECT_EQ(to_status(ENOSPC, "x").code(), Code::no_space);
  EXPECT_EQ(to_status(EFBIG, "x").code(), Code::no_space);
  EXPECT_EQ(to_status(WT_TRY_SALVAGE, "x").code(), Code::corrupt);
  EXPECT_EQ(to_status(WT_PANIC, "x", Trouble::full).code(), Code::no_space);
  EXPECT_EQ(to_status(WT_PANIC, "x", Trouble::corrupt).code(), Code::busy);
  EXPECT_EQ(to_status(WT_PANIC, "x", Trouble::failed).code(), Code::io_error);
  EXPECT_EQ(to_status(EIO, "x").code(), Code::io_error);
}

// The handler of a connection is called by WiredTiger; here by hand, as its errors come.
TEST_F(WiredtigerTest, a_panic_is_blamed_on_what_came_before_it) {
  ASSERT_EQ(disk_->make_directories("log"), ok_status());
  const auto blamed_on = [&](std::vector<std::pair<int, const char*>> errors) {
    Events events(disk_->real_path("log"), nullptr);
    for (const auto& [error, message] : errors)
      events.handle_error(&events, nullptr, error, message);
    take_last_error();
    return events.trouble();
  };
  EXPECT_EQ(blamed_on({}), Trouble::none);
  EXPECT_EQ(blamed_on({{ENOSPC, "write rows.wt"}}), Trouble::none);
  EXPECT_EQ(blamed_on({{ENOSPC, "write rows.wt"}, {WT_PANIC, "panic"}}), Trouble::full);
  EXPECT_EQ(blamed_on({{EIO, "write rows.wt"}, {WT_PANIC, "panic"}}), Trouble::failed);
  EXPECT_EQ(blamed_on({{ENOSPC, "w"}, {EIO, "w"}, {WT_PANIC, "panic"}}), Trouble::failed);
  EXPECT_EQ(blamed_on({{0, "read checksum error for 4096B block"},
                       {WT_ERROR, "rows.wt: fatal read error"},
                       {WT_PANIC, "panic"}}),
            Trouble::corrupt);
  EXPECT_EQ(blamed_on({{WT_PANIC, "panic"}}), Trouble::failed);
  const char* const stuck = "rows.wt: the checkpoint failed, the system must restart";
  EXPECT_EQ(blamed_on({{ENOSPC, "w"}, {EINVAL, stuck}}), Trouble::full);
  EXPECT_EQ(blamed_on({{EIO, "w"}, {EINVAL, stuck}}), Trouble::failed);
  EXPECT_EQ(blamed_on({{ENOSPC, "w"}, {WT_PANIC, "panic"}, {EIO, "w"}, {WT_PANIC, "panic"}}),
            Trouble::full)
      << "what follows a panic is its echo";
}

}  // namespace
}  // namespace ringwright
