#include <rocksdb/db.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "engine/engine_directory.h"
#include "plugins/rocksdb/options.h"
#include "tests/plugins/rocksdb/rocksdb_test_support.h"
#include "tests/support/file_size_limit.h"

namespace ringwright {
namespace {

class RocksdbDamageTest : public RocksdbTest {
 protected:
  std::vector<std::filesystem::path> files_ending(const std::string& suffix) {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(real_directory()))
      if (entry.path().string().ends_with(suffix)) found.push_back(entry.path());
    return found;
  }

  // With the engine's options; null when it fails.
  std::unique_ptr<rocksdb::DB> open_by_other_means() {
    rocksdb::DB* opened = nullptr;
    if (const auto options = make_rocksdb_options(context_.options, nullptr))
      rocksdb::DB::Open(*options, real_directory(), &opened).PermitUncheckedError();
    return std::unique_ptr<rocksdb::DB>(opened);
  }

  // Inverts one byte.
  static void damage(const std::filesystem::path& path, std::streamoff offset) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(offset);
    const int byte = file.get();
    ASSERT_NE(byte, EOF);
    file.seekp(offset);
    file.put(static_cast<char>(~byte));
  }
};

TEST_F(RocksdbDamageTest, a_damaged_table_is_corrupt_and_not_absent) {
  ASSERT_TRUE(open().is_ok());
  for (int i = 1000; i < 3000; ++i) put("key" + std::to_string(i), Bytes(100, 'v'));
  ASSERT_TRUE(engine_->flush().is_ok());
  ASSERT_TRUE(engine_->close().is_ok());
  const auto tables = files_ending(".sst");
  ASSERT_EQ(tables.size(), 1u);
  damage(tables.front(), 20);  // in the first data block

  ASSERT_TRUE(open().is_ok());
  const auto answer = get("key1000");
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code(), Code::corrupt) << answer.error().to_string();
  EXPECT_NE(answer.error().message().find("key1000"), std::string::npos);
  EXPECT_NE(answer.error().message().find(".sst"), std::string::npos);
  EXPECT_EQ(shown("key2999"), Bytes(100, 'v'));
  std::vector<Bytes> keys;
  for (int i = 1000; i < 1010; ++i) keys.push_back("key" + std::to_string(i));
  for (const auto& each : engine_->multi_get(keys, MayBlock::yes))
    EXPECT_EQ(each.status().code(), Code::corrupt);
  const auto iterator = engine_->iterate({}, Direction::forward);
  EXPECT_FALSE(iterator->valid());
  EXPECT_EQ(iterator->status().code(), Code::corrupt);
  EXPECT_EQ(engine_->stats().damaged, (std::vector<KeyRange>{{"key1000", Bytes("key2999\0", 8)}}))
      << "the whole table is suspect";
}

// Rows key1000 to key2999 in many tables of one level, in their order.
class RocksdbTablesTest : public RocksdbDamageTest {
 protected:
  void write_many_tables() {
    context_.options["compression"] = "kNoCompression";
    context_.options["target_file_size_base"] = "20KiB";
    ASSERT_TRUE(open().is_ok());
    for (int i = 1000; i < 3000; ++i) put("key" + std::to_string(i), Bytes(100, 'v'));
    ASSERT_TRUE(engine_->flush().is_ok());
    ASSERT_TRUE(engine_->close().is_ok());
    const auto db = open_by_other_means();
    ASSERT_NE(db, nullptr);
    rocksdb::CompactRangeOptions all;
    all.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
    ASSERT_TRUE(db->CompactRange(all, nullptr, nullptr).ok());
    db->GetLiveFilesMetaData(&tables_);
    std::sort(tables_.begin(), tables_.end(),
              [](const auto& a, const auto& b) { return a.smallestkey < b.smallestkey; });
    ASSERT_GE(tables_.size(), 5u);
    ASSERT_TRUE(db->Close().ok());
  }

  std::filesystem::path path_of(const rocksdb::LiveFileMetaData& table) const {
    return real_directory() + table.name;
  }

  std::vector<Bytes> keys(Direction direction, Status& status) {
    std::vector<Bytes> keys;
    const auto iterator = engine_->iterate({}, direction);
    for (; iterator->valid(); iterator->next()) keys.emplace_back(iterator->key());
    status = iterator->status();
    return keys;
  }

  std::vector<rocksdb::LiveFileMetaData> tables_;
};

TEST_F(RocksdbTablesTest, iterations_tell_of_a_damaged_block_where_a_table_begins_or_ends) {
  write_many_tables();
  ASSERT_FALSE(HasFatalFailure());
  const rocksdb::LiveFileMetaData& table = tables_[2];
  const auto first = path_of(table);
  damage(first, 20);
  // The last block of data lies before the filter, which has no 'v' for long.
  std::ifstream file(first, std::ios::binary);
  const Bytes bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  damage(first, static_cast<std::streamoff>(bytes.rfind(Bytes(100, 'v'))));

  ASSERT_TRUE(open().is_ok());
  for (const bool has_dropped : {false, true}) {
    SCOPED_TRACE(has_dropped ? "a range was dropped" : "no range was dropped");
    if (has_dropped) {
      ASSERT_TRUE(engine_->drop_range({"key1100", "key1110"}).is_ok());
      ASSERT_TRUE(engine_->drop_range({"key2900", "key2910"}).is_ok());
    }
    const auto expected = [&](int from, int to) {
      std::vector<Bytes> keys;
      for (int i = from; i != to; i += from < to ? 1 : -1)
        if (!has_dropped || (i / 10 != 110 && i / 10 != 290))
          keys.push_back("key" + std::to_string(i));
      return keys;
    };
    Status status;
    EXPECT_EQ(keys(Direction::forward, status),
              expected(1000, std::stoi(table.smallestkey.substr(3))));
    EXPECT_EQ(status.code(), Code::corrupt) << status.to_string();
    // Backwards RocksDB reads on before it shows a row.
    std::vector<Bytes> backwards = expected(2999, std::stoi(table.largestkey.substr(3)));
    backwards.pop_back();
    EXPECT_EQ(keys(Direction::reverse, status), backwards);
    EXPECT_EQ(status.code(), Code::corrupt) << status.to_string();
    EXPECT_EQ(engine_->stats().damaged,
              (std::vector<KeyRange>{{table.smallestkey, table.largestkey + '\0'}}));
  }
}

TEST_F(RocksdbTablesTest, dropped_ranges_stay_dropped_in_iterations_after_a_reopen) {
  write_many_tables();
  ASSERT_TRUE(open().is_ok());
  ASSERT_TRUE(engine_->drop_range({"key1500", "key2500"}).is_ok());
  put("key1700", "again");
  for (const bool reopened : {false, true}) {
    if (reopened) reopen();
    for (const Direction direction : {Direction::forward, Direction::reverse}) {
      Status status;
      std::vector<Bytes> seen = keys(direction, status);
      EXPECT_TRUE(status.is_ok()) << status.to_string();
      EXPECT_EQ(seen.size(), 1001u);
      EXPECT_EQ(std::count(seen.begin(), seen.end(), "key1700"), 1);
    }
  }
}

TEST_F(RocksdbDamageTest, a_failed_write_is_in_doubt_and_the_last) {
  context_.durability = Durability::disk;
  ASSERT_TRUE(open().is_ok());
  int written = 0;
  {
    const FileSizeLimit limit(300'000);
    for (Code failed_with = Code::ok; failed_with == Code::ok; ++written) {
      ASSERT_LT(written, 1000);
      WriteBatch batch;
      batch.put("key" + std::to_string(written), Bytes(1000, 'v'));
      failed_with = engine_->write(batch, MayBlock::yes).status().code();
      ASSERT_TRUE(failed_with == Code::ok || failed_with == Code::in_doubt);
    }
  }
  --written;
  ASSERT_GT(written, 0);
  WriteBatch batch;
  batch.put("later", "1");
  EXPECT_EQ(engine_->write(batch, MayBlock::yes).status().code(), Code::io_error);
  EXPECT_EQ(engine_->sync(1, MayBlock::yes).code(), Code::io_error);
  EXPECT_EQ(engine_->drop_range({}).code(), Code::io_error);
  EXPECT_EQ(engine_->pressure(), 1);
  EXPECT_EQ(shown("key0"), Bytes(1000, 'v'));
  EXPECT_EQ(shown("later"), "absent");

  engine_->close().ignore("the log that failed cannot be closed in order");
  ASSERT_TRUE(open().is_ok());
  for (int i = 0; i < written; ++i) ASSERT_EQ(shown("key" + std::to_string(i)), Bytes(1000, 'v'));
  EXPECT_EQ(shown("later"), "absent");
  put("later", "2");
  EXPECT_EQ(shown("later"), "2");
}

TEST_F(RocksdbDamageTest, a_missing_table_is_corrupt) {
  ASSERT_TRUE(open().is_ok());
  put("a", "1");
  ASSERT_TRUE(engine_->flush().is_ok());
  ASSERT_TRUE(engine_->close().is_ok());
  for (const auto& table : files_ending(".sst")) std::filesystem::remove(table);
  const Status opened = open();
  EXPECT_EQ(opened.code(), Code::corrupt) << opened.to_string();
}

TEST_F(RocksdbDamageTest, tables_without_their_index_file_are_no_new_database) {
  ASSERT_TRUE(open().is_ok());
  put("a", "1");
  ASSERT_TRUE(engine_->flush().is_ok());
  ASSERT_TRUE(engine_->close().is_ok());
  std::filesystem::remove(real_directory() + "/CURRENT");
  EXPECT_EQ(open().code(), Code::corrupt);
  EXPECT_FALSE(files_ending(".sst").empty());
}

TEST_F(RocksdbDamageTest, refuses_the_directory_of_another_engine) {
  ASSERT_TRUE(claim_engine_directory(*disk_, context_.path, "lsm", 1).is_ok());
  EXPECT_EQ(open().code(), Code::mismatch);
  EXPECT_TRUE(files_ending("CURRENT").empty());
}

TEST_F(RocksdbDamageTest, a_database_opened_by_other_means_is_locked) {
  ASSERT_TRUE(open().is_ok());
  ASSERT_TRUE(engine_->close().is_ok());
  const auto holder = open_by_other_means();
  ASSERT_NE(holder, nullptr);
  const Status refused = open();
  EXPECT_EQ(refused.code(), Code::locked);
  EXPECT_NE(refused.message().find(real_directory()), std::string::npos) << refused.message();
}

}  // namespace
}  // namespace ringwright
