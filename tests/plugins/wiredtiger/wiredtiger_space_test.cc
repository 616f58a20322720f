#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>

#include "tests/plugins/wiredtiger/wiredtiger_test_support.h"
#include "tests/support/file_size_limit.h"

namespace ringwright {
namespace {

using WiredtigerSpaceTest = WiredtigerTest;

TEST_F(WiredtigerSpaceTest, a_log_that_cannot_grow_loses_nothing_and_goes_on_when_it_can) {
  context_.durability = Durability::disk;
  ASSERT_EQ(open(), ok_status());
  int written = 0;
  {
    const FileSizeLimit limit(300'000);
    Status failed;
    ASSERT_TRUE(eventually([&] {
      failed = try_put("key" + std::to_string(written), Bytes(1000, 'v'));
      if (failed.is_ok()) ++written;
      // A file that is made in advance may not fit before the log does not: then it pauses first.
      return !failed.is_ok() && failed.code() != Code::no_space;
    }));
    EXPECT_EQ(failed.code(), Code::in_doubt) << failed.to_string();
    EXPECT_EQ(try_put("later", "1").code(), Code::no_space);
    EXPECT_EQ(engine_->pressure(), 1);
  }
  ASSERT_GT(written, 0);
  EXPECT_TRUE(eventually([&] { return try_put("later", "2").is_ok(); }));
  EXPECT_EQ(shown("later"), "2");
  for (int i = 0; i < written; ++i) ASSERT_EQ(shown("key" + std::to_string(i)), Bytes(1000, 'v'));
  EXPECT_EQ(engine_->sync(put("last", "1"), MayBlock::yes), ok_status());
  reopen();
  for (int i = 0; i < written; ++i) ASSERT_EQ(shown("key" + std::to_string(i)), Bytes(1000, 'v'));
  EXPECT_EQ(shown("later"), "2");
}

TEST_F(WiredtigerSpaceTest, it_waits_for_an_iterator_to_go) {
  ASSERT_EQ(open(), ok_status());
  put("a", "1");
  put("b", "1");
  auto iterator = engine_->iterate({}, Direction::forward);
  {
    const FileSizeLimit limit(200'000);
    int i = 0;
    ASSERT_TRUE(eventually([&] {
      // Before the log is full, a file that is made in advance may be: then it pauses first.
      try_put("key" + std::to_string(i++), Bytes(1000, 'v')).ignore("the get tells");
      return shown("a") == "busy";
    }));
  }
  iterator->next();
  EXPECT_FALSE(iterator->valid());
  EXPECT_FALSE(iterator->status().is_ok());
  EXPECT_EQ(shown("a"), "busy");
  iterator.reset();
  EXPECT_TRUE(eventually([&] { return shown("a") == "1"; }));
}

// Writers are inside transactions, readers on pages, when one of them meets the full disk.
TEST_F(WiredtigerSpaceTest, many_threads_come_through_a_full_disk) {
  ASSERT_EQ(open(), ok_status());
  put("first", "1");
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  std::array<std::vector<Bytes>, 4> acknowledged;
  for (std::size_t t = 0; t < acknowledged.size(); ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; !done; ++i) {
        WriteBatch batch;
        const Bytes key = std::to_string(t) + "." + std::to_string(i) + ".";
        for (int k = 0; k < 50; ++k) batch.put(key + std::to_string(k), Bytes(200, 'v'));
        if (engine_->write(batch, MayBlock::yes).has_value()) acknowledged[t].push_back(key);
        shown("first");
        engine_->iterate({}, Direction::reverse);
      }
    });
  for (int round = 0; round < 3; ++round) {
    {
      const FileSizeLimit limit(100'000);
      EXPECT_TRUE(eventually([&] { return engine_->pressure() == 1; }));
    }
    EXPECT_TRUE(eventually([&] { return try_put("later", "1").is_ok(); })) << message_log();
  }
  done = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(shown("first"), "1");
  for (const auto& keys : acknowledged)
    for (const Bytes& key : keys)
      for (int k = 0; k < 50; ++k)
        ASSERT_EQ(shown(key + std::to_string(k)), Bytes(200, 'v')) << key << k;
  ASSERT_EQ(engine_->close(), ok_status());
}

// A small disk of this process's own; false where that is not allowed.
bool mount_small_disk(const std::string& path, const char* options) {
  const std::string user = std::to_string(::geteuid());
  const bool is_root = user == "0";
  if (::unshare(is_root ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  if (!is_root) std::ofstream("/proc/self/uid_map") << user + " " + user + " 1";
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  return ::mount("tmpfs", path.c_str(), "tmpfs", 0, options) == 0;
}

// Runs in a child process, because the disk is mounted in a namespace of its own.
void run_with_small_disk(const std::function<void(const std::string&)>& body) {
  const TemporaryFolder folder;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  constexpr int not_allowed = 77;
  if (child == 0) {
    if (!mount_small_disk(folder.path(), "size=64m")) ::_exit(not_allowed);
    body(folder.path());
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << status;
  if (WEXITSTATUS(status) == not_allowed) GTEST_SKIP() << "may not mount a disk here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(WiredtigerSpaceTest, a_full_disk_refuses_writes_and_goes_on_when_it_is_freed) {
  run_with_small_disk([this](const std::string& root) {
    context_.disk = make_posix_disk(root);
    context_.durability = Durability::disk;
    context_.options["checkpoint"] = "(wait=0,log_size=4MiB)";
    ASSERT_EQ(open(), ok_status());
    int written = 0;
    Status failed;
    for (; failed.is_ok() && written < 100'000; ++written)
      failed = try_put("key" + std::to_string(written), Bytes(1000, 'v'));
    --written;
    EXPECT_EQ(failed.code(), Code::no_space) << failed.to_string();
    EXPECT_EQ(engine_->pressure(), 1);
    // It serves on, and writes nothing.
    EXPECT_EQ(shown("key0"), Bytes(1000, 'v'));
    EXPECT_EQ(shown("key" + std::to_string(written)), "absent");
    EXPECT_EQ(count_rows(), static_cast<std::size_t>(written));
    ASSERT_EQ(::mount("tmpfs", root.c_str(), "tmpfs", MS_REMOUNT, "size=256m"), 0);
    EXPECT_TRUE(eventually([&] { return try_put("later", "1").is_ok(); }));
    EXPECT_EQ(count_rows(), static_cast<std::size_t>(written) + 1);
    EXPECT_EQ(engine_->sync(put("last", "1"), MayBlock::yes), ok_status());
    EXPECT_EQ(engine_->close(), ok_status());
  });
}

std::string message_log_in(const std::string& root) {
  std::stringstream text;
  text << std::ifstream(root + "/engine/LOG").rdbuf();
  return text.str();
}

// Another process takes the last bytes, behind the back of the check for free space.
TEST_F(WiredtigerSpaceTest, a_disk_that_somebody_else_fills_loses_nothing) {
  run_with_small_disk([this](const std::string& root) {
    context_.disk = make_posix_disk(root);
    context_.options["checkpoint"] = "(wait=0,log_size=0)";
    ASSERT_EQ(open(), ok_status());
    put("first", "1");
    {
      std::ofstream filler(root + "/filler", std::ios::binary);
      const std::string block(64 * 1024, 'f');
      while (filler.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
      }
    }
    int written = 0;
    Status failed;
    for (; failed.is_ok() && written < 100'000; ++written)
      failed = try_put("key" + std::to_string(written), Bytes(1000, 'v'));
    --written;
    EXPECT_EQ(failed.code(), Code::no_space) << failed.to_string();
    // What was under way ended in the ballast.
    EXPECT_EQ(engine_->flush(), ok_status());
    EXPECT_EQ(engine_->pressure(), 1);
    EXPECT_EQ(shown("first"), "1");
    EXPECT_EQ(message_log_in(root).find("PANIC"), std::string::npos) << message_log_in(root);
    std::filesystem::remove(root + "/filler");
    EXPECT_TRUE(eventually([&] { return try_put("later", "1").is_ok(); }));
    EXPECT_EQ(shown("first"), "1");
    for (int i = 0; i < written; ++i)
      ASSERT_EQ(shown("key" + std::to_string(i)), Bytes(1000, 'v')) << i;
    EXPECT_EQ(engine_->close(), ok_status());
  });
}

}  // namespace
}  // namespace ringwright
