#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "plugins/rocksdb/range_iterator.h"
#include "tests/support/temporary_disk.h"

namespace ringwright {
namespace {

constexpr int row_count = 10'000;

// An instance with more tables than it keeps open.
std::shared_ptr<RocksdbEngine::Instance> open_many_tables(const std::string& directory) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.compression = rocksdb::kNoCompression;
  options.target_file_size_base = 50 << 10;
  options.max_open_files = 20;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened = rocksdb::DB::Open(options, directory, &db);
  EXPECT_TRUE(opened.ok()) << opened.ToString();
  auto instance = std::make_shared<RocksdbEngine::Instance>();
  instance->damage = std::make_shared<DamageBook>();
  instance->db.reset(db);
  for (int number = 0; number < row_count; ++number) {
    std::array<char, 16> key{};
    std::snprintf(key.data(), key.size(), "key%06d", number);
    EXPECT_TRUE(db->Put(rocksdb::WriteOptions(), key.data(), std::string(200, 'v')).ok());
  }
  EXPECT_TRUE(db->CompactRange(rocksdb::CompactRangeOptions(), nullptr, nullptr).ok());
  return instance;
}

void remove_tables(const std::string& directory) {
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    if (entry.path().extension() == ".sst") std::filesystem::remove(entry.path());
}

class RangeIteratorTest : public testing::TestWithParam<bool> {};

TEST_P(RangeIteratorTest, ATableThatIsGoneIsTheDatabasesFaultOnlyWhileItHasTheDirectory) {
  const TemporaryFolder folder;
  const std::string directory = folder.path() + "/database";
  const auto instance = open_many_tables(directory);
  instance->left_behind = GetParam();
  const auto iterator = make_range_iterator(instance, {}, Direction::forward);
  ASSERT_TRUE(iterator->valid());
  remove_tables(directory);
  int seen = 0;
  for (; iterator->valid(); iterator->next()) ++seen;
  EXPECT_LT(seen, row_count);
  EXPECT_EQ(iterator->status().code(), GetParam() ? Code::busy : Code::io_error)
      << iterator->status().to_string();
}

INSTANTIATE_TEST_SUITE_P(Instances, RangeIteratorTest, testing::Bool(), [](const auto& parameter) {
  return parameter.param ? "left_behind" : "open";
});

}  // namespace
}  // namespace ringwright
