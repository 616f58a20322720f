#include <gtest/gtest.h>
#include <rocksdb/table.h>

#include "plugins/rocksdb/options.h"

namespace ringwright {
namespace {

rocksdb::Options made(const EngineOptions& wanted) {
  auto options = make_rocksdb_options(wanted, nullptr);
  EXPECT_TRUE(options.has_value()) << options.status().to_string();
  return options ? *options : rocksdb::Options();
}

const rocksdb::BlockBasedTableOptions& table_of(const rocksdb::Options& options) {
  return *options.table_factory->GetOptions<rocksdb::BlockBasedTableOptions>();
}

// Expects a refusal whose sentence holds `part`.
void expect_refused(const std::string& name, const std::string& value, const std::string& part) {
  const EngineOptions wanted{{name, value}};
  const auto options = make_rocksdb_options(wanted, nullptr);
  ASSERT_FALSE(options.has_value()) << name;
  EXPECT_EQ(options.error().code(), Code::invalid);
  EXPECT_NE(options.error().message().find("'" + name + "'"), std::string::npos);
  EXPECT_NE(options.error().message().find(part), std::string::npos) << options.error().message();
}

TEST(RocksdbOptionsTest, defaults) {
  const rocksdb::Options options = made({});
  EXPECT_TRUE(options.create_if_missing);
  EXPECT_TRUE(options.avoid_flush_during_shutdown);
  EXPECT_FALSE(options.manual_wal_flush);
  EXPECT_EQ(options.max_background_jobs, 2);
  EXPECT_TRUE(options.level_compaction_dynamic_level_bytes);
  EXPECT_TRUE(table_of(options).whole_key_filtering);
  ASSERT_NE(table_of(options).filter_policy, nullptr);
  EXPECT_EQ(table_of(options).block_cache->GetCapacity(), 64u << 20);
}

TEST(RocksdbOptionsTest, passes_options_through_with_sizes_in_units) {
  const rocksdb::Options options = made({{"write_buffer_size", "8MiB"},
                                         {"max_background_jobs", "7"},
                                         {"compression", "kNoCompression"},
                                         {"max_total_wal_size", "123B"},
                                         {"target_file_size_base", "4M"},
                                         {"table.block_size", "16KiB"},
                                         {"table.cache_index_and_filter_blocks", "true"},
                                         {"block_cache_size", "3MiB"}});
  EXPECT_EQ(options.write_buffer_size, 8u << 20);
  EXPECT_EQ(options.max_background_jobs, 7);
  EXPECT_EQ(options.compression, rocksdb::kNoCompression);
  EXPECT_EQ(options.max_total_wal_size, 123u);
  EXPECT_EQ(options.target_file_size_base, 4u << 20);
  EXPECT_EQ(table_of(options).block_size, 16u << 10);
  EXPECT_TRUE(table_of(options).cache_index_and_filter_blocks);
  EXPECT_EQ(table_of(options).block_cache->GetCapacity(), 3u << 20);
  EXPECT_NE(table_of(options).filter_policy, nullptr);  // one table option leaves the others
}

TEST(RocksdbOptionsTest, a_cache_given_as_a_table_option_is_taken) {
  const rocksdb::Options options = made({{"table.block_cache", "5MiB"}});
  EXPECT_EQ(table_of(options).block_cache->GetCapacity(), 5u << 20);
  EXPECT_EQ(table_of(made({{"table.no_block_cache", "true"}})).block_cache, nullptr);
}

TEST(RocksdbOptionsTest, unknown_options_name_the_nearest) {
  expect_refused("write_bufer_size", "1", "'write_buffer_size'");
  expect_refused("max_backgroundjobs", "2", "'max_background_jobs'");
  expect_refused("table.blok_size", "1", "'table.block_size'");
  expect_refused("block_cache_sice", "1", "'block_cache_size'");
  expect_refused("table.", "1", "did you mean");
  expect_refused("", "1", "did you mean");
}

TEST(RocksdbOptionsTest, refuses_values_that_rocksdb_refuses) {
  expect_refused("max_background_jobs", "many", "max_background_jobs");
  expect_refused("compression", "rot13", "compression");
  expect_refused("table.block_size", "large", "block_size");
  expect_refused("block_cache_size", "large", "64MiB");
  expect_refused("block_cache_size", "", "64MiB");
}

TEST(RocksdbOptionsTest, refuses_options_that_would_break_the_contract) {
  expect_refused("max_open_files", "100", "not to be set");
  expect_refused("atomic_flush", "true", "not to be set");
  expect_refused("manual_wal_flush", "true", "not to be set");
  expect_refused("two_write_queues", "true", "not to be set");
  expect_refused("unordered_write", "true", "not to be set");
  expect_refused("wal_dir", "/elsewhere", "not to be set");
  expect_refused("comparator", "rocksdb.ReverseBytewiseComparator", "not to be set");
  expect_refused("compaction_style", "kCompactionStyleFIFO", "FIFO");
}

}  // namespace
}  // namespace ringwright
