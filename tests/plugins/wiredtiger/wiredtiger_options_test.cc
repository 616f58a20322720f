#include <gtest/gtest.h>

#include "plugins/wiredtiger/options.h"

namespace ringwright {
namespace {

WiredtigerOptions made(const EngineOptions& wanted, Durability durability = Durability::os) {
  const auto options = make_wiredtiger_options(wanted, durability);
  EXPECT_TRUE(options.has_value()) << options.status().to_string();
  return options ? *options : WiredtigerOptions();
}

// Expects a refusal whose sentence holds `part`, and nothing on stderr.
void expect_refused(const std::string& name, const std::string& value, const std::string& part) {
  testing::internal::CaptureStderr();
  const auto options = make_wiredtiger_options({{name, value}}, Durability::os);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  ASSERT_FALSE(options.has_value()) << name << "=" << value;
  EXPECT_EQ(options.error().code(), Code::invalid);
  EXPECT_NE(options.error().message().find("'" + name + "'"), std::string::npos);
  EXPECT_NE(options.error().message().find(part), std::string::npos) << options.error().message();
}

bool has_entry(const std::string& config, const std::string& entry) {
  return ("," + config + ",").find("," + entry + ",") != std::string::npos;
}

TEST(WiredtigerOptionsTest, defaults) {
  const WiredtigerOptions options = made({});
  EXPECT_TRUE(has_entry(options.connection, "cache_size=134217728")) << options.connection;
  EXPECT_TRUE(has_entry(options.connection, "transaction_sync=(enabled=true,method=none)"));
  EXPECT_TRUE(has_entry(options.connection, "log=(enabled=true,file_max=67108864)"));
  EXPECT_TRUE(has_entry(options.connection, "mmap=false"));
  EXPECT_EQ(options.table, "key_format=u,value_format=u");
  EXPECT_EQ(options.checkpoint_wait, seconds(60));
  EXPECT_EQ(options.checkpoint_bytes, 256u << 20);
  EXPECT_EQ(options.dirty_trigger, (128u << 20) / 100 * 20);
  EXPECT_EQ(options.cache_target, (128u << 20) / 100 * 80);
}

TEST(WiredtigerOptionsTest, without_durability_there_is_no_log) {
  const WiredtigerOptions options = made({{"log.file_max", "1MiB"}}, Durability::none);
  EXPECT_EQ(options.connection.find("log="), std::string::npos) << options.connection;
  EXPECT_EQ(options.connection.find("transaction_sync"), std::string::npos);
}

TEST(WiredtigerOptionsTest, passes_options_through_with_sizes_in_units) {
  const WiredtigerOptions options = made({{"cache_size", "8MiB"},
                                          {"eviction", "(threads_min=2,threads_max=3)"},
                                          {"eviction_dirty_trigger", "2MB"},
                                          {"io_capacity", "(total=4MiB)"},
                                          {"checkpoint", "(wait=7,log_size=64MiB)"},
                                          {"log.file_max", "2MiB"},
                                          {"table.leaf_page_max", "16KiB"},
                                          {"table.prefix_compression", "true"}});
  EXPECT_TRUE(has_entry(options.connection, "cache_size=8388608")) << options.connection;
  EXPECT_TRUE(has_entry(options.connection, "eviction=(threads_min=2,threads_max=3)"));
  EXPECT_TRUE(has_entry(options.connection, "io_capacity=(total=4194304)"));
  EXPECT_TRUE(has_entry(options.connection, "log=(enabled=true,file_max=2097152)"));
  EXPECT_EQ(options.connection.find("checkpoint="), std::string::npos);
  EXPECT_TRUE(has_entry(options.table, "leaf_page_max=16384")) << options.table;
  EXPECT_TRUE(has_entry(options.table, "prefix_compression=true"));
  EXPECT_EQ(options.checkpoint_wait, seconds(7));
  EXPECT_EQ(options.checkpoint_bytes, 64u << 20);
  EXPECT_EQ(options.dirty_trigger, 2u << 20);
}

TEST(WiredtigerOptionsTest, unknown_options_name_the_nearest) {
  expect_refused("cache_sice", "1MiB", "'cache_size'");
  expect_refused("eviction_triger", "90", "'eviction_trigger'");
  expect_refused("table.leaf_page_size", "4KiB", "'table.leaf_page_max'");
  expect_refused("log.file_maxx", "1MiB", "'log.file_max'");
  expect_refused("table.", "1", "did you mean");
  expect_refused("", "1", "did you mean");
  expect_refused("cache_size=1,create", "1", "did you mean");
}

TEST(WiredtigerOptionsTest, refuses_values_that_wiredtiger_refuses) {
  expect_refused("cache_size", "large", "expected a int");
  expect_refused("cache_size", "", "cache_size");
  expect_refused("cache_size", "1KiB", "minimum");
  expect_refused("eviction", "(threads_max=99)", "threads_max");
  expect_refused("checkpoint", "(wait=1,often=1)", "often");
  expect_refused("table.leaf_page_max", "large", "leaf_page_max");
}

TEST(WiredtigerOptionsTest, a_value_brings_no_second_option) {
  expect_refused("cache_size", "1MiB,create=false", "not one value");
  expect_refused("cache_size", "1MiB),(create=false", "not one value");
  expect_refused("eviction", "(threads_max=2),readonly=(", "not one value");
  expect_refused("extensions", "[\"a]", "not one value");
  expect_refused("table.leaf_page_max", "4KiB,key_format=S", "not one value");
}

TEST(WiredtigerOptionsTest, refuses_options_that_would_break_the_contract) {
  for (const char* const name :
       {"log", "log.enabled", "log.archive", "transaction_sync", "in_memory", "readonly", "create",
        "exclusive", "salvage", "session_max", "statistics", "table.key_format", "table.log",
        "table.collator", "table.checksum", "table.type", "verbose"})
    expect_refused(name, "1", "not to be set");
}

}  // namespace
}  // namespace ringwright
