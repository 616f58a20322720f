#include "engine/base/ballast.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/file_size_limit.h"
#include "tests/support/temporary_disk.h"

namespace ringwright {
namespace {

constexpr std::uint64_t mebibyte = 1024 * 1024;

class BallastTest : public ::testing::Test {
 protected:
  std::uint64_t bytes_on_disk() const {
    return std::filesystem::exists(path_) ? std::filesystem::file_size(path_) : 0;
  }

  const TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/BALLAST";
  Ballast ballast_{path_, mebibyte};
};

TEST_F(BallastTest, TakesRoomAndGivesItBackPieceByPiece) {
  EXPECT_FALSE(ballast_.is_whole());
  EXPECT_FALSE(ballast_.give(1));
  ASSERT_TRUE(ballast_.fill());
  EXPECT_TRUE(ballast_.is_whole());
  EXPECT_EQ(bytes_on_disk(), mebibyte);
  int pieces = 0;
  for (std::uint64_t before = mebibyte; ballast_.give(1); before = ballast_.held_bytes()) {
    EXPECT_LT(ballast_.held_bytes(), before);
    EXPECT_EQ(bytes_on_disk(), ballast_.held_bytes());
    EXPECT_EQ(ballast_.missing_bytes(), mebibyte - ballast_.held_bytes());
    ++pieces;
  }
  EXPECT_GT(pieces, 1);
  EXPECT_EQ(bytes_on_disk(), 0u);
  EXPECT_TRUE(ballast_.fill());
  EXPECT_EQ(bytes_on_disk(), mebibyte);
}

TEST_F(BallastTest, GivesAsMuchAsIsAskedFor) {
  ASSERT_TRUE(ballast_.fill());
  EXPECT_TRUE(ballast_.give(mebibyte / 2));
  EXPECT_LE(ballast_.held_bytes(), mebibyte / 2);
  EXPECT_TRUE(ballast_.give(10 * mebibyte));
  EXPECT_EQ(ballast_.held_bytes(), 0u);
}

TEST_F(BallastTest, KeepsWhatItHoldsWhereThereIsNoRoomForMore) {
  {
    const FileSizeLimit limit(mebibyte / 2);
    EXPECT_FALSE(ballast_.fill());
    EXPECT_EQ(bytes_on_disk(), 0u);
  }
  ASSERT_TRUE(ballast_.fill());
  ASSERT_TRUE(ballast_.give(mebibyte / 2));
  const std::uint64_t held = ballast_.held_bytes();
  {
    const FileSizeLimit limit(mebibyte * 3 / 4);
    EXPECT_FALSE(ballast_.fill());
  }
  EXPECT_EQ(ballast_.held_bytes(), held);
  EXPECT_EQ(bytes_on_disk(), held);
}

TEST_F(BallastTest, TakesOverWhatARunBeforeHasLeft) {
  ASSERT_TRUE(ballast_.fill());
  Ballast next(path_, mebibyte);
  EXPECT_FALSE(next.is_whole());
  EXPECT_TRUE(next.fill());
  EXPECT_TRUE(next.give(mebibyte));
  EXPECT_EQ(bytes_on_disk(), 0u);
}

TEST_F(BallastTest, TakesOverAPartWhereThereIsNoRoomForTheRest) {
  ASSERT_TRUE(ballast_.fill());
  ASSERT_TRUE(ballast_.give(mebibyte / 2));
  const std::uint64_t held = ballast_.held_bytes();
  Ballast next(path_, mebibyte);
  const FileSizeLimit limit(mebibyte * 3 / 4);
  EXPECT_FALSE(next.fill());
  EXPECT_EQ(next.held_bytes(), held);
  EXPECT_EQ(bytes_on_disk(), held);
}

TEST_F(BallastTest, AHoleHoldsNothing) {
  { const std::ofstream made(path_); }
  std::filesystem::resize_file(path_, mebibyte);
  ASSERT_TRUE(ballast_.fill());
  EXPECT_TRUE(ballast_.is_whole());
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_GE(static_cast<std::uint64_t>(status.st_blocks) * 512, mebibyte);
}

TEST_F(BallastTest, HoldsNothingWhereItsFileCannotBe) {
  Ballast nowhere(folder_.path() + "/absent/BALLAST", mebibyte);
  EXPECT_FALSE(nowhere.fill());
  EXPECT_FALSE(nowhere.give(1));
}

}  // namespace
}  // namespace ringwright
