#include <wiredtiger.h>

#include "tests/plugins/wiredtiger/wiredtiger_test_support.h"

namespace ringwright {
namespace {

TEST_F(WiredtigerDamageTest, a_damaged_block_is_corrupt_and_the_rest_is_served) {
  fill();
  damage_rows();
  ASSERT_EQ(open(), ok_status());
  testing::internal::CaptureStderr();
  const auto answer = get(key_of(damaged));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code(), Code::corrupt) << answer.error().to_string();
  EXPECT_NE(answer.error().message().find(key_of(damaged)), std::string::npos);
  // WiredTiger has panicked over it and is opened again.
  EXPECT_TRUE(eventually([&] { return shown(key_of(0)) == Bytes(100, 'v'); }));
  EXPECT_EQ(shown(key_of(rows - 1)), Bytes(100, 'v'));
  EXPECT_EQ(shown(key_of(damaged)), "corrupt");
  EXPECT_EQ(shown(key_of(0)), Bytes(100, 'v')) << "known damage is not read again";
  EXPECT_EQ(engine_->stats().damaged,
            (std::vector<KeyRange>{{key_of(damaged), key_of(damaged) + '\0'}}));
  EXPECT_EQ(try_put(key_of(damaged), "1").code(), Code::corrupt);
  put(key_of(0), "1");
  EXPECT_EQ(shown(key_of(0)), "1");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(WiredtigerDamageTest, iterations_end_at_a_damaged_block_both_ways) {
  fill();
  damage_rows();
  ASSERT_EQ(open(), ok_status());
  for (const Direction direction : {Direction::forward, Direction::reverse}) {
    for (int round = 0; round < 2; ++round) {
      ASSERT_TRUE(eventually([&] { return shown(key_of(0)) != "busy"; }));
      const auto iterator = engine_->iterate({key_of(1), key_of(rows - 1)}, direction);
      int seen = 0;
      for (; iterator->valid(); iterator->next()) ++seen;
      EXPECT_EQ(iterator->status().code(), Code::corrupt) << iterator->status().to_string();
      EXPECT_GT(seen, rows / 4);
      EXPECT_LT(seen, rows / 4 * 3);
      // The second time it is known where to stop.
      EXPECT_EQ(shown(key_of(0)), round == 0 ? "busy" : Bytes(100, 'v'));
    }
  }
  const auto ranges = engine_->stats().damaged;
  ASSERT_FALSE(ranges.empty());
  EXPECT_TRUE(ranges.front().start <= key_of(damaged) && key_of(damaged) < ranges.back().stop);
}

// The process died in it, before anything could be written.
TEST_F(WiredtigerDamageTest, a_first_open_that_did_not_complete_is_begun_anew) {
  ASSERT_EQ(open(), ok_status());
  ASSERT_EQ(engine_->close(), ok_status());
  for (const std::string lost : {"WiredTiger.wt", "WiredTiger.turtle", "WiredTiger", "rows.wt"}) {
    std::filesystem::remove(real_file("OPENS"));
    std::filesystem::remove(real_file(lost));
    const Status opened = open();
    ASSERT_TRUE(opened.is_ok()) << lost << ": " << opened.to_string();
    ASSERT_EQ(engine_->close(), ok_status());
  }
  ASSERT_EQ(open(), ok_status());
  put("a", "1");
  reopen();
  EXPECT_EQ(shown("a"), "1");
}

TEST_F(WiredtigerDamageTest, rows_are_never_taken_for_a_first_open) {
  fill();
  std::filesystem::remove(real_file("OPENS"));
  std::filesystem::remove(real_file("WiredTiger.wt"));
  const auto bytes = std::filesystem::file_size(real_file("rows.wt"));
  EXPECT_EQ(open().code(), Code::corrupt);
  EXPECT_EQ(std::filesystem::file_size(real_file("rows.wt")), bytes);
}

TEST_F(WiredtigerDamageTest, without_a_log_damage_stops_the_instance) {
  context_.durability = Durability::none;
  fill();
  damage_rows();
  ASSERT_EQ(open(), ok_status());
  put("unflushed", "1");
  EXPECT_EQ(shown(key_of(damaged)), "corrupt");
  EXPECT_EQ(shown("unflushed"), "io_error") << "not absent";
  EXPECT_EQ(try_put("later", "1").code(), Code::io_error);
  EXPECT_EQ(engine_->pressure(), 1);
  EXPECT_EQ(engine_->close(), ok_status());
  ASSERT_EQ(open(), ok_status());
  EXPECT_EQ(shown(key_of(0)), Bytes(100, 'v'));
}

TEST_F(WiredtigerDamageTest, a_directory_that_lacks_a_file_is_no_new_database) {
  for (const char* const name : {"rows.wt", "WiredTiger", "WiredTiger.turtle", "WiredTiger.wt"}) {
    SCOPED_TRACE(name);
    context_.path = std::string("engine-") + name;
    ASSERT_EQ(open(), ok_status());
    put("a", "1");
    ASSERT_EQ(engine_->close(), ok_status());
    ASSERT_TRUE(std::filesystem::remove(real_file(name)));
    const Status opened = open();
    EXPECT_EQ(opened.code(), Code::corrupt) << opened.to_string();
    EXPECT_NE(opened.message().find(name), std::string::npos) << opened.to_string();
  }
}

TEST_F(WiredtigerDamageTest, damaged_index_files_are_corrupt) {
  for (const char* const name : {"rows.wt", "WiredTiger.turtle", "WiredTiger.wt", "OPENS"}) {
    SCOPED_TRACE(name);
    context_.path = std::string("engine-") + name;
    ASSERT_EQ(open(), ok_status());
    put("a", "1");
    ASSERT_EQ(engine_->close(), ok_status());
    const auto size = std::filesystem::file_size(real_file(name));
    std::ofstream(real_file(name), std::ios::binary) << std::string(size, '#');
    const Status opened = open();
    EXPECT_EQ(opened.code(), Code::corrupt) << opened.to_string();
  }
}

TEST_F(WiredtigerDamageTest, a_database_opened_by_other_means_is_locked) {
  ASSERT_EQ(open(), ok_status());
  ASSERT_EQ(engine_->close(), ok_status());
  WT_CONNECTION* holder = nullptr;
  ASSERT_EQ(wiredtiger_open(real_directory().c_str(), nullptr, "log=(enabled)", &holder), 0);
  const Status refused = open();
  EXPECT_EQ(refused.code(), Code::locked) << refused.to_string();
  EXPECT_NE(refused.message().find(real_directory()), std::string::npos) << refused.message();
  EXPECT_EQ(holder->close(holder, nullptr), 0);
}

}  // namespace
}  // namespace ringwright
