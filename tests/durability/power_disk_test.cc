#include "tests/durability/power_disk.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <thread>

#include "engine/base/random.h"
#include "tests/durability/durable_image.h"
#include "tests/durability/shared.h"
#include "tests/support/temporary_disk.h"

namespace ringwright::durability {
namespace {

// A tiny program under the power disk, in a process that is killed at its end.
class PowerDisk : public testing::Test {
 protected:
  PowerDisk() {
    std::filesystem::create_directory(folder_.path() + "/root");
    root_ = std::filesystem::canonical(folder_.path() + "/root").string();
  }

  std::string at(const std::string& name) const { return root_ + "/" + name; }

  // Exit code 0 of the program is turned into the kill.
  void run(const std::function<bool()>& program) {
    const std::string journal = folder_.path() + "/journal";
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const bool started = power_disk_start(root_.c_str(), journal.c_str(), page_.get(), 7) == 0;
      if (!started || !program()) ::_exit(1);
      ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the program failed";
  }

  void run_and_lose_power(const std::function<bool()>& program) {
    run(program);
    ASSERT_TRUE(image_.lose_power(folder_.path() + "/journal").is_ok());
    ASSERT_TRUE(image_.write_to(root_).is_ok());
  }

  void run_and_survive(const std::function<bool()>& program, double share, std::uint64_t seed) {
    run(program);
    SeededRandom random(seed, "survive");
    const Status status = image_.lose_power(folder_.path() + "/journal", root_, random, share);
    ASSERT_TRUE(status.is_ok()) << status.to_string();
    ASSERT_TRUE(image_.write_to(root_).is_ok());
  }

  std::optional<std::string> content(const std::string& name) const {
    std::ifstream file(at(name), std::ios::binary);
    if (!file) return std::nullopt;
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

  bool sync_folder(const std::string& name = "") const {
    const int folder = ::open(at(name).c_str(), O_RDONLY | O_DIRECTORY);
    return folder >= 0 && ::fsync(folder) == 0 && ::close(folder) == 0;
  }

  // Writes and closes; synced with its name when `durable`.
  bool make(const std::string& name, const std::string& text, bool durable) const {
    const int file = ::open(at(name).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file < 0 || !write_all(file, text)) return false;
    if (durable && ::fdatasync(file) != 0) return false;
    return ::close(file) == 0 && (!durable || sync_folder());
  }

  static bool write_all(int file, const std::string& text) {
    return ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  }

  const TemporaryFolder folder_;
  std::string root_;
  const Shared<PowerPage> page_;
  DurableImage image_;
};

TEST_F(PowerDisk, AWriteWithoutASyncIsGone) {
  run_and_lose_power([&] {
    return make("a", "kept", true) && [&] {
      const int file = ::open(at("a").c_str(), O_WRONLY | O_APPEND);
      return write_all(file, " and lost");
    }();
  });
  EXPECT_EQ(content("a"), "kept");
}

TEST_F(PowerDisk, ASyncedWriteStays) {
  run_and_lose_power([&] { return make("a", "kept", true); });
  EXPECT_EQ(content("a"), "kept");
}

TEST_F(PowerDisk, AnOverwriteWithoutASyncGivesTheOldBytesBack) {
  run_and_lose_power([&] {
    if (!make("a", "0123456789", true)) return false;
    const int file = ::open(at("a").c_str(), O_RDWR);
    return ::pwrite(file, "xx", 2, 3) == 2 && ::fdatasync(file) == 0 &&
           ::pwrite(file, "yy", 2, 4) == 2;
  });
  EXPECT_EQ(content("a"), "012xx56789");
}

TEST_F(PowerDisk, ASyncOfTheFileIsNotASyncOfItsName) {
  run_and_lose_power([&] {
    const int file = ::open(at("a").c_str(), O_WRONLY | O_CREAT, 0644);
    return write_all(file, "text") && ::fsync(file) == 0;
  });
  EXPECT_EQ(content("a"), std::nullopt);
}

TEST_F(PowerDisk, ASyncOfTheNameIsNotASyncOfTheFile) {
  run_and_lose_power([&] { return make("a", "text", false) && sync_folder(); });
  EXPECT_EQ(content("a"), "");
}

TEST_F(PowerDisk, ARenameWithoutASyncOfTheDirectoryIsUndone) {
  run_and_lose_power([&] {
    return make("a", "old", true) && make("b", "new", true) &&
           ::rename(at("b").c_str(), at("a").c_str()) == 0;
  });
  EXPECT_EQ(content("a"), "old");
  EXPECT_EQ(content("b"), "new");
}

TEST_F(PowerDisk, ARenameWithASyncOfTheDirectoryStays) {
  run_and_lose_power([&] {
    return make("a", "old", true) && make("b", "new", true) &&
           ::rename(at("b").c_str(), at("a").c_str()) == 0 && sync_folder();
  });
  EXPECT_EQ(content("a"), "new");
  EXPECT_EQ(content("b"), std::nullopt);
}

TEST_F(PowerDisk, ARemovedFileIsBackUntilItsDirectoryIsSynced) {
  run_and_lose_power([&] {
    return make("a", "one", true) && make("b", "two", true) && ::unlink(at("a").c_str()) == 0 &&
           sync_folder() && std::remove(at("b").c_str()) == 0;
  });
  EXPECT_EQ(content("a"), std::nullopt);
  EXPECT_EQ(content("b"), "two");
}

TEST_F(PowerDisk, ANewFileWithTheNumberOfARemovedOneIsAnother) {
  run_and_lose_power([&] {
    if (!make("a", "old", true) || ::unlink(at("a").c_str()) != 0) return false;
    return make("b", "unsynced", false) && make("c", "synced", true) &&
           ::unlink(at("c").c_str()) == 0;
  });
  // The sync of c's directory made a's removal and b's name durable, not b's bytes.
  EXPECT_EQ(content("a"), std::nullopt);
  EXPECT_EQ(content("b"), "");
  EXPECT_EQ(content("c"), "synced");
}

TEST_F(PowerDisk, ADirectoryRestsWhenItsParentWasSynced) {
  run_and_lose_power([&] {
    return ::mkdir(at("kept").c_str(), 0755) == 0 && sync_folder() &&
           ::mkdir(at("other").c_str(), 0755) == 0 && make("kept/a", "text", true) &&
           sync_folder("kept");
  });
  EXPECT_TRUE(std::filesystem::is_directory(at("kept")));
  EXPECT_EQ(content("kept/a"), "text");
  // `make` synced the root after the directory was made.
  EXPECT_TRUE(std::filesystem::is_directory(at("other")));
}

TEST_F(PowerDisk, ATruncationWithoutASyncIsUndone) {
  run_and_lose_power([&] {
    return make("a", "0123456789", true) && make("b", "0123456789", true) &&
           ::truncate(at("a").c_str(), 3) == 0 && [&] {
             const int file = ::open(at("b").c_str(), O_RDWR);
             return ::ftruncate(file, 3) == 0 && ::pwrite(file, "x", 1, 6) == 1 &&
                    ::fsync(file) == 0;
           }();
  });
  EXPECT_EQ(content("a"), "0123456789");
  EXPECT_EQ(content("b"), std::string("012\0\0\0x", 7));
}

TEST_F(PowerDisk, EveryWayToWriteIsSeen) {
  run_and_lose_power([&] {
    if (!make("a", "", true)) return false;
    const int file = ::open(at("a").c_str(), O_RDWR);
    char one[] = "ab";
    char other[] = "cd";
    const iovec pieces[] = {{one, 2}, {other, 2}};
    if (::writev(file, pieces, 2) != 4 || ::pwritev(file, pieces, 2, 4) != 4) return false;
    if (::posix_fallocate(file, 8, 2) != 0) return false;
    const int copy = ::dup(file);
    const int another = ::fcntl(copy, F_DUPFD_CLOEXEC, 100);
    ::close(file);
    if (::lseek(another, 0, SEEK_END) != 10 || !write_all(another, "ef")) return false;
    return ::fdatasync(copy) == 0;
  });
  EXPECT_EQ(content("a"), std::string("abcdabcd\0\0ef", 12));
}

TEST_F(PowerDisk, CopiesWithinTheKernelAreSeen) {
  run_and_lose_power([&] {
    if (!make("a", "0123456789", true) || !make("b", "", true) || !make("c", "", true))
      return false;
    std::filesystem::copy_file(at("a"), at("b"), std::filesystem::copy_options::overwrite_existing);
    const int from = ::open(at("a").c_str(), O_RDONLY);
    const int to = ::open(at("c").c_str(), O_WRONLY);
    return ::copy_file_range(from, nullptr, to, nullptr, 10, 0) == 10 && ::fsync(to) == 0;
  });
  EXPECT_EQ(content("b"), "");
  EXPECT_EQ(content("c"), "0123456789");
}

TEST_F(PowerDisk, ALossFollowsUponALoss) {
  run_and_lose_power([&] { return make("a", "first", true) && make("b", "gone", false); });
  run_and_lose_power([&] {
    const int file = ::open(at("a").c_str(), O_WRONLY | O_APPEND);
    return write_all(file, " second") && ::fsync(file) == 0 && write_all(file, " third");
  });
  EXPECT_EQ(content("a"), "first second");
  EXPECT_EQ(content("b"), std::nullopt);
}

TEST_F(PowerDisk, AHardLinkSharesItsBytes) {
  run_and_lose_power([&] {
    return make("a", "text", true) && ::link(at("a").c_str(), at("b").c_str()) == 0 &&
           sync_folder();
  });
  run_and_lose_power([&] {
    const int file = ::open(at("b").c_str(), O_WRONLY | O_APPEND);
    return write_all(file, " more") && ::fsync(file) == 0;
  });
  EXPECT_EQ(content("a"), "text more");
}

TEST_F(PowerDisk, ASyncCoversOnlyWhatWasWrittenBeforeItBegan) {
  page_->sync_delay_us = 200'000;
  run_and_lose_power([&] {
    if (!make("a", "", true)) return false;
    const int file = ::open(at("a").c_str(), O_WRONLY | O_APPEND);
    if (!write_all(file, "before")) return false;
    const std::uint64_t syncs = page_->syncs;
    std::thread late([&] {
      while (page_->syncs == syncs) std::this_thread::yield();
      write_all(file, " during");
    });
    const bool synced = ::fsync(file) == 0;
    late.join();
    return synced;
  });
  EXPECT_EQ(content("a"), "before");
}

TEST_F(PowerDisk, AFailedSyncLosesWhatItShouldHaveCovered) {
  run_and_lose_power([&] {
    if (!make("a", "first", true)) return false;
    const int file = ::open(at("a").c_str(), O_WRONLY | O_APPEND);
    page_->fail_sync_in = 1;
    if (!write_all(file, " second") || ::fsync(file) != -1 || errno != EIO) return false;
    return write_all(file, " third") && ::fsync(file) == 0;
  });
  EXPECT_EQ(content("a"), std::string("first\0\0\0\0\0\0\0 third", 18));
  EXPECT_EQ(page_->failed_syncs, 1u);
}

TEST_F(PowerDisk, ABudgetLetsInWhatFitsAndIsRaisedLater) {
  page_->budget_bytes = 8;
  run_and_lose_power([&] {
    const int file = ::open(at("a").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (::write(file, "0123456789", 10) != 8) return false;
    if (::write(file, "x", 1) != -1 || errno != ENOSPC) return false;
    if (::open(at("b").c_str(), O_WRONLY | O_CREAT, 0644) != -1 || errno != ENOSPC) return false;
    page_->budget_bytes = 10;
    if (!write_all(file, "ab") || ::fsync(file) != 0) return false;
    if (::ftruncate(file, 4) != 0 || !write_all(file, "cd")) return false;
    return ::fsync(file) == 0 && sync_folder();
  });
  EXPECT_EQ(content("a"), "0123cd");
  EXPECT_EQ(page_->used_bytes, 6u);
}

TEST_F(PowerDisk, ARemovedFileGivesItsRoomBack) {
  run([&] { return make("a", "0123456789", true) && ::unlink(at("a").c_str()) == 0; });
  EXPECT_EQ(page_->used_bytes, 0u);
}

TEST_F(PowerDisk, AWritableSharedMappingIsRefusedAndCounted) {
  run([&] {
    const int file = ::open(at("a").c_str(), O_RDWR | O_CREAT, 0644);
    return ::mmap(nullptr, 4096, PROT_WRITE, MAP_SHARED, file, 0) == MAP_FAILED;
  });
  EXPECT_EQ(page_->unknown_calls, 1u);
}

TEST_F(PowerDisk, FilesElsewhereAreLeftAlone) {
  const std::string outside = folder_.path() + "/outside";
  run_and_lose_power([&] {
    const int file = ::open(outside.c_str(), O_WRONLY | O_CREAT, 0644);
    return write_all(file, "text");
  });
  EXPECT_TRUE(std::filesystem::exists(outside));
  EXPECT_EQ(page_->syncs, 0u);
}

// Twenty pages, none of them synced, behind four that were.
TEST_F(PowerDisk, SomePagesSurviveInAnyOrderAndSyncedOnesAlways) {
  constexpr std::size_t page = 4096;
  run_and_survive(
      [&] {
        if (!make("a", std::string(4 * page, 's'), true)) return false;
        const int file = ::open(at("a").c_str(), O_WRONLY | O_APPEND);
        return write_all(file, std::string(20 * page, 'u'));
      },
      0.5, 3);
  const std::string text = content("a").value_or("");
  ASSERT_GE(text.size(), 4 * page);
  EXPECT_EQ(text.substr(0, 4 * page), std::string(4 * page, 's'));
  std::size_t kept = 0;
  std::size_t holes = 0;
  for (std::size_t i = 4; i < text.size() / page; ++i) {
    const std::string piece = text.substr(i * page, page);
    if (piece == std::string(page, 'u')) ++kept;
    if (piece == std::string(page, '\0')) ++holes;
  }
  EXPECT_GT(kept, 0u);
  EXPECT_GT(holes, 0u);
  EXPECT_EQ(4 + kept + holes, text.size() / page);
}

TEST_F(PowerDisk, NamesSurviveAsABeginningOfTheirChanges) {
  std::size_t seen[4] = {};
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    image_ = DurableImage();
    ASSERT_TRUE(image_.write_to(root_).is_ok());
    run_and_survive(
        [&] { return make("a", "", false) && make("b", "", false) && make("c", "", false); }, 0.5,
        seed);
    const bool a = content("a").has_value();
    const bool b = content("b").has_value();
    const bool c = content("c").has_value();
    EXPECT_TRUE(a || !b);
    EXPECT_TRUE(b || !c);
    ++seen[(a ? 1 : 0) + (b ? 1 : 0) + (c ? 1 : 0)];
  }
  for (const std::size_t times : seen) EXPECT_GT(times, 0u);
}

}  // namespace
}  // namespace ringwright::durability
