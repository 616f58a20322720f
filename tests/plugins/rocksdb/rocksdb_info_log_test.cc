#include <filesystem>

#include "plugins/rocksdb/info_log.h"
#include "tests/plugins/rocksdb/rocksdb_test_support.h"

namespace ringwright {
namespace {

TEST_F(RocksdbTest, messages_stay_small_and_in_the_directory) {
  const auto log = make_info_log(root_, 4000, rocksdb::INFO_LEVEL);
  ASSERT_NE(log, nullptr);
  for (int i = 0; i < 1000; ++i) rocksdb::Info(log, "message %d", i);
  rocksdb::Info(log, "%s", std::string(100'000, 'x').c_str());
  rocksdb::Debug(log, "%s", "below the level");
  EXPECT_LE(std::filesystem::file_size(root_ + "/LOG"), 5000u);
  EXPECT_LE(std::filesystem::file_size(root_ + "/LOG.old"), 4000u);
  EXPECT_EQ(make_info_log(root_ + "/absent", 4000, rocksdb::INFO_LEVEL), nullptr);
}

TEST_F(RocksdbTest, an_engine_logs_where_it_lives) {
  ASSERT_TRUE(open().is_ok());
  EXPECT_TRUE(std::filesystem::exists(real_directory() + "/LOG"));
}

}  // namespace
}  // namespace ringwright
