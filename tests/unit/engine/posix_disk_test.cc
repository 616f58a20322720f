#include <gtest/gtest.h>
#include <unistd.h>

#include "engine/base/disk.h"
#include "tests/support/temporary_disk.h"

namespace ringwright {
namespace {

class PosixDisk : public testing::Test {
 protected:
  TemporaryFolder folder_;
  std::shared_ptr<Disk> disk_ = make_posix_disk(folder_.path() + "/deep/root");

  void SetUp() override { ASSERT_EQ(disk_->make_directories(""), ok_status()); }
};

TEST_F(PosixDisk, appends_at_the_end_over_reopens) {
  {
    auto file = disk_->open_append("f");
    ASSERT_TRUE(file) << file.status().to_string();
    EXPECT_EQ((*file)->size(), 0u);
    EXPECT_EQ((*file)->append(Bytes("a\0b", 3)), ok_status());
    EXPECT_EQ((*file)->append(""), ok_status());
    EXPECT_EQ((*file)->sync(), ok_status());
    EXPECT_EQ((*file)->size(), 3u);
  }
  auto file = disk_->open_append("f");
  ASSERT_TRUE(file);
  EXPECT_EQ((*file)->size(), 3u);
  EXPECT_EQ((*file)->append(Bytes(1'000'000, 'x')), ok_status());
  EXPECT_EQ(disk_->read("f").value(), Bytes("a\0b", 3) + Bytes(1'000'000, 'x'));
  EXPECT_EQ(disk_->truncate("f", 2), ok_status());
  EXPECT_EQ(disk_->read("f").value(), Bytes("a\0", 2));
}

TEST_F(PosixDisk, a_failed_append_poisons_the_file) {
  // Writes to this device fail as on a full disk, and it cannot be cut back.
  const auto device = make_posix_disk("/dev");
  auto file = device->open_append("full");
  if (!file) GTEST_SKIP() << "no /dev/full here: " << file.status().to_string();
  const Status first = (*file)->append("x");
  EXPECT_EQ(first.code(), Code::no_space) << first.to_string();
  EXPECT_EQ((*file)->size(), 0u);
  const Status synced = (*file)->sync();
  EXPECT_EQ(synced.code(), Code::io_error) << "this device cannot be synced";
  EXPECT_EQ((*file)->append("x").code(), Code::io_error) << "poisoned by the sync";
  EXPECT_EQ((*file)->sync().code(), Code::io_error);
}

TEST_F(PosixDisk, absence_is_not_an_error_but_reading_nothing_is_invalid) {
  EXPECT_EQ(disk_->exists("f").value(), false);
  EXPECT_EQ(disk_->exists("no/such/f").value(), false);
  EXPECT_EQ(disk_->read("f").status().code(), Code::invalid);
  EXPECT_EQ(disk_->remove("f"), ok_status());
  EXPECT_TRUE(disk_->list("nowhere").value().empty());
  EXPECT_EQ(disk_->open_append("no/such/f").status().code(), Code::io_error);
  EXPECT_EQ(disk_->truncate("f", 0).code(), Code::io_error);
}

TEST_F(PosixDisk, replaces_whole_files) {
  ASSERT_EQ(disk_->replace("f", "old"), ok_status());
  ASSERT_EQ(disk_->replace("f", Bytes("n\0w", 3)), ok_status());
  EXPECT_EQ(disk_->read("f").value(), Bytes("n\0w", 3));
  EXPECT_EQ(disk_->list("").value(), std::vector<std::string>{"f"}) << "nothing is left over";
  EXPECT_EQ(disk_->exists("f").value(), true);
  EXPECT_EQ(disk_->remove("f"), ok_status());
  EXPECT_EQ(disk_->exists("f").value(), false);
}

TEST_F(PosixDisk, lists_names_in_order_without_its_own_files) {
  ASSERT_EQ(disk_->make_directories("d/inner"), ok_status());
  ASSERT_EQ(disk_->make_directories("d/inner"), ok_status());
  const auto lock = disk_->lock("d");
  ASSERT_TRUE(lock);
  for (const char* const name : {"d/b", "d/a", "d/.hidden"})
    ASSERT_EQ(disk_->replace(name, ""), ok_status());
  EXPECT_EQ(disk_->list("d").value(), (std::vector<std::string>{".hidden", "a", "b", "inner"}));
  ASSERT_EQ(disk_->replace("file", ""), ok_status());
  EXPECT_EQ(disk_->make_directories("file/d").code(), Code::io_error);
}

TEST_F(PosixDisk, locks_a_directory_once_and_names_the_holder) {
  ASSERT_EQ(disk_->make_directories("d"), ok_status());
  auto held = disk_->lock("d");
  ASSERT_TRUE(held) << held.status().to_string();
  const auto second = make_posix_disk(disk_->real_path(""))->lock("d");
  EXPECT_EQ(second.status().code(), Code::locked);
  EXPECT_NE(second.status().message().find("process " + std::to_string(::getpid())),
            std::string::npos)
      << second.status().to_string();
  held->reset();
  EXPECT_TRUE(disk_->lock("d"));
}

TEST_F(PosixDisk, real_path_is_below_the_root) {
  EXPECT_EQ(disk_->real_path("a/b"), folder_.path() + "/deep/root/a/b");
  EXPECT_EQ(disk_->real_path(""), folder_.path() + "/deep/root");
}

}  // namespace
}  // namespace ringwright
