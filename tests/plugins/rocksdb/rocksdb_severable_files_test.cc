#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "engine/base/time.h"
#include "plugins/rocksdb/severable_files.h"
#include "tests/support/temporary_disk.h"

namespace ringwright {
namespace {

using Rows = std::map<std::string, std::string>;

constexpr int row_count = 2000;

std::string row_key(int number) {
  std::array<char, 16> key{};
  std::snprintf(key.data(), key.size(), "key%06d", number);
  return key.data();
}

// A database whose files can be severed.
struct Database {
  std::shared_ptr<SeverableFiles> files = std::make_shared<SeverableFiles>();
  std::unique_ptr<rocksdb::Env> environment = rocksdb::NewCompositeEnv(files);
  std::unique_ptr<rocksdb::DB> db;

  explicit Database(const std::string& directory) {
    rocksdb::Options options;
    options.env = environment.get();
    options.create_if_missing = true;
    options.write_buffer_size = 100 << 10;
    options.avoid_flush_during_shutdown = true;
    rocksdb::DB* opened = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(options, directory, &opened);
    EXPECT_TRUE(status.ok()) << status.ToString();
    db.reset(opened);
  }

  void put(const std::string& key, const std::string& value) {
    const rocksdb::Status status = db->Put(rocksdb::WriteOptions(), key, value);
    EXPECT_TRUE(status.ok()) << status.ToString();
  }

  Rows rows() const {
    const std::unique_ptr<rocksdb::Iterator> at(db->NewIterator(rocksdb::ReadOptions()));
    at->SeekToFirst();
    return rest(*at);
  }

  static Rows rest(rocksdb::Iterator& at) {
    Rows rows;
    for (; at.Valid(); at.Next()) rows[at.key().ToString()] = at.value().ToString();
    EXPECT_TRUE(at.status().ok()) << at.status().ToString();
    return rows;
  }
};

class SeverableFilesTest : public testing::Test {
 protected:
  SeverableFilesTest() : first_(directory_) {
    for (int number = 0; number < row_count; ++number) {
      rows_[row_key(number)] = std::string(200, 'a');
      first_.put(row_key(number), rows_[row_key(number)]);
    }
  }

  const TemporaryFolder folder_;
  const std::string directory_ = folder_.path() + "/database";
  Database first_;
  Rows rows_;
};

TEST_F(SeverableFilesTest, ASeveredDatabaseChangesNothing) {
  ASSERT_TRUE(first_.files->sever_within(seconds(10)));
  EXPECT_FALSE(first_.db->Put(rocksdb::WriteOptions(), "late", "row").ok());
  EXPECT_FALSE(first_.db->Flush(rocksdb::FlushOptions()).ok());
  const std::string elsewhere = directory_ + "/CURRENT";
  first_.environment->DeleteFile(elsewhere).PermitUncheckedError();
  EXPECT_TRUE(std::filesystem::exists(elsewhere));
  EXPECT_FALSE(first_.environment->RenameFile(elsewhere, elsewhere + "2").ok());
  EXPECT_FALSE(first_.environment->LinkFile(elsewhere, elsewhere + "2").ok());
  std::unique_ptr<rocksdb::WritableFile> file;
  EXPECT_FALSE(
      first_.environment->NewWritableFile(directory_ + "/new", &file, rocksdb::EnvOptions()).ok());
  first_.db.reset();
  EXPECT_EQ(Database(directory_).rows(), rows_);
}

TEST_F(SeverableFilesTest, AnotherInstanceOpensTheDirectoryWhileIteratorsGoOn) {
  std::unique_ptr<rocksdb::Iterator> at(first_.db->NewIterator(rocksdb::ReadOptions()));
  at->SeekToFirst();
  ASSERT_TRUE(first_.files->sever_within(seconds(10)));
  {
    Database second(directory_);
    EXPECT_EQ(second.rows(), rows_);
    Rows changed = rows_;
    for (int number = 0; number < row_count; ++number)
      second.put(row_key(number), changed[row_key(number)] = std::string(300, 'b'));
    EXPECT_TRUE(second.db->CompactRange(rocksdb::CompactRangeOptions(), nullptr, nullptr).ok());
    // Its tables have no name any more.
    EXPECT_EQ(Database::rest(*at), rows_);
    at.reset();
    first_.db.reset();
    EXPECT_EQ(second.rows(), changed);
    rows_ = changed;
  }
  EXPECT_EQ(Database(directory_).rows(), rows_);
}

TEST_F(SeverableFilesTest, TheDirectoryIsLockedUntilThen) {
  rocksdb::Options options;
  options.env = first_.environment.get();
  rocksdb::DB* opened = nullptr;
  EXPECT_FALSE(rocksdb::DB::Open(options, directory_, &opened).ok());
  ASSERT_TRUE(first_.files->sever_within(seconds(10)));
  const Database second(directory_);
  // The first gives up no lock that is not its own.
  first_.db.reset();
  EXPECT_FALSE(rocksdb::DB::Open(rocksdb::Options(), directory_, &opened).ok());
}

}  // namespace
}  // namespace ringwright
