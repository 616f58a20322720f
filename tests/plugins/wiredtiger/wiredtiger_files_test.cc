#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <future>

#include "plugins/wiredtiger/file_system.h"
#include "tests/plugins/wiredtiger/wiredtiger_test_support.h"

namespace ringwright {
namespace {

constexpr std::uint64_t ballast_bytes = 1024 * 1024;

// The files of a connection, called as WiredTiger calls them.
class WiredtigerFilesTest : public testing::Test {
 protected:
  WiredtigerFilesTest() { EXPECT_TRUE(ballast_->fill()); }

  WT_FILE_HANDLE* open(const std::string& path, std::uint32_t flags = WT_FS_OPEN_CREATE) {
    WT_FILE_HANDLE* file = nullptr;
    EXPECT_EQ(files_.fs_open_file(&files_, nullptr, path.c_str(), WT_FS_OPEN_FILE_TYPE_REGULAR,
                                  flags, &file),
              0);
    return file;
  }
  static int write(WT_FILE_HANDLE* file) {
    return file->fh_write(file, nullptr, 0, word_.size(), word_.data());
  }
  static void close(WT_FILE_HANDLE* file) { EXPECT_EQ(file->close(file, nullptr), 0); }

  static inline const std::string word_ = "word";
  const TemporaryFolder folder_;
  const std::shared_ptr<Events> events_ = std::make_shared<Events>(folder_.path(), nullptr);
  const std::shared_ptr<Ballast> ballast_ =
      std::make_shared<Ballast>(folder_.path() + "/BALLAST", ballast_bytes);
  const std::shared_ptr<std::atomic<bool>> ends_ = std::make_shared<std::atomic<bool>>(false);
  FileSystem files_{folder_.path(), events_, ballast_, ends_};
};

TEST_F(WiredtigerFilesTest, AWriteWithoutRoomTakesAllOfTheBallastAndThenWaits) {
  WT_FILE_HANDLE* const full = open("/dev/full", 0);
  std::atomic<int> answer{0};
  std::thread writer([&] { answer = write(full); });
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (ballast_->held_bytes() > 0 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  EXPECT_EQ(ballast_->held_bytes(), 0u);
  EXPECT_EQ(answer, 0);
  ends_->store(true);
  writer.join();
  EXPECT_EQ(answer, ENOSPC);
  EXPECT_TRUE(events_->lacks_space());
  EXPECT_EQ(events_->trouble(), Trouble::none);
  close(full);
}

TEST_F(WiredtigerFilesTest, AfterAFailedSyncNothingIsChanged) {
  WT_FILE_HANDLE* const file = open(folder_.path() + "/file");
  EXPECT_EQ(write(file), 0);
  EXPECT_EQ(file->fh_sync(file, nullptr), 0);
  WT_FILE_HANDLE* const never_synced = open("/dev/null", 0);
  EXPECT_NE(never_synced->fh_sync(never_synced, nullptr), 0);
  EXPECT_EQ(events_->trouble(), Trouble::failed);
  EXPECT_EQ(write(file), EIO);
  EXPECT_EQ(file->fh_sync(file, nullptr), EIO) << "it would say that all before is synced";
  close(file);
  close(never_synced);
}

TEST_F(WiredtigerFilesTest, SeveredItReadsAndChangesNothing) {
  const std::string path = folder_.path() + "/file";
  WT_FILE_HANDLE* const file = open(path);
  EXPECT_EQ(write(file), 0);
  EXPECT_TRUE(files_.sever_within(seconds(60)));
  EXPECT_EQ(write(file), EIO);
  EXPECT_EQ(file->fh_truncate(file, nullptr, 0), EIO);
  EXPECT_EQ(files_.fs_remove(&files_, nullptr, path.c_str(), 0), EIO);
  EXPECT_EQ(files_.fs_rename(&files_, nullptr, path.c_str(), (path + "2").c_str(), 0), EIO);
  WT_FILE_HANDLE* other = nullptr;
  EXPECT_EQ(files_.fs_open_file(&files_, nullptr, (path + "3").c_str(),
                                WT_FS_OPEN_FILE_TYPE_REGULAR, WT_FS_OPEN_CREATE, &other),
            EIO);
  std::string read(word_.size(), '\0');
  EXPECT_EQ(file->fh_read(file, nullptr, 0, read.size(), read.data()), 0);
  EXPECT_EQ(read, word_);
  EXPECT_EQ(events_->trouble(), Trouble::none);
  close(file);
}

TEST_F(WiredtigerFilesTest, SeveringTellsThatACallToTheSystemHasNotComeBack) {
  std::promise<void> reached;
  std::promise<void> released;
  std::thread caller([&] {
    EXPECT_TRUE(files_.unless_severed([&] {
      reached.set_value();
      released.get_future().wait();
    }));
  });
  reached.get_future().wait();
  EXPECT_FALSE(files_.sever_within(milliseconds(1)));
  EXPECT_FALSE(files_.unless_severed([] { FAIL(); })) << "none more begins";
  released.set_value();
  caller.join();
  EXPECT_TRUE(files_.sever_within(seconds(60)));
}

// WiredTiger's own tools do not know the lock of the directory.
TEST_F(WiredtigerTest, no_other_program_opens_what_is_open) {
  ASSERT_EQ(open(), ok_status());
  // The child has inherited the parent's list of directories, which knows them by their spelling.
  const std::string directory = real_directory() + "/";
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    WT_CONNECTION* connection = nullptr;
    ::_exit(wiredtiger_open(directory.c_str(), quiet_events(), "", &connection));
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << status;
  EXPECT_EQ(WEXITSTATUS(status), EBUSY);
}

TEST_F(WiredtigerTest, extensions_of_the_user_come_beside_the_files) {
  for (const char* const none : {"[]", "()", " [ ] ", "{}"}) {
    context_.options["extensions"] = none;
    const Status opened = open();
    EXPECT_TRUE(opened.is_ok()) << none << ": " << opened.to_string();
    EXPECT_EQ(engine_->close(), ok_status());
  }
  context_.options["extensions"] = " [/absent/extension.so] ";
  const Status opened = open();
  EXPECT_EQ(opened.code(), Code::invalid) << opened.to_string();
}

}  // namespace
}  // namespace ringwright
