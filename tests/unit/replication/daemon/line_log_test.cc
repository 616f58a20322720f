#include "replication/daemon/line_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>

namespace ringwright {
namespace {

constexpr std::uint64_t instant_us = 1'769'860'800'000'123;  // 2026-01-31T12:00:00.000123Z

TEST(LogLineTest, Text) {
  const Event event{
      Severity::warning,
      "peer_refused",
      "node2 was refused.",
      {{"peer", "127.0.0.1:7481"}, {"why", "two words"}, {"empty", ""}, {"q", "a\"b"}}};
  EXPECT_EQ(log_line(event, instant_us, LogFormat::text),
            "2026-01-31T12:00:00.000123Z warning peer_refused: node2 was refused. "
            "peer=127.0.0.1:7481 why=\"two words\" empty=\"\" q=\"a\\\"b\"");
}

TEST(LogLineTest, Json) {
  const Event event{Severity::error, "node_failed", "It \"failed\".", {{"code", "locked"}}};
  EXPECT_EQ(log_line(event, instant_us, LogFormat::json),
            "{\"time\":\"2026-01-31T12:00:00.000123Z\",\"severity\":\"error\","
            "\"event\":\"node_failed\",\"message\":\"It \\\"failed\\\".\","
            "\"fields\":{\"code\":\"locked\"}}");
}

TEST(LogLineTest, AnEventIsNeverTwoLines) {
  const Event event{
      Severity::info, "e", "a\nb\r\x1b[31m", {{"field", "c\nd"}, {"raw", "\xff\x01"}}};
  for (const LogFormat format : {LogFormat::text, LogFormat::json}) {
    const std::string line = log_line(event, instant_us, format);
    for (const char c : line) EXPECT_GE(static_cast<unsigned char>(c), 0x20) << line;
  }
}

class LineLogTest : public ::testing::Test {
 protected:
  LineLogTest() { EXPECT_EQ(pipe2(ends_.data(), O_NONBLOCK), 0); }
  ~LineLogTest() override {
    for (const int end : ends_) close(end);
  }
  std::string read_all() {
    std::string text(1 << 20, '\0');
    const ssize_t got = read(ends_[0], text.data(), text.size());
    return text.substr(0, static_cast<std::size_t>(std::max<ssize_t>(0, got)));
  }

  std::array<int, 2> ends_{};
};

TEST_F(LineLogTest, LeavesOutWhatIsBelowItsLevel) {
  const auto log = make_line_log(ends_[1], "text", "warning");
  log->note({Severity::info, "small", "", {}});
  log->note({Severity::warning, "large", "", {}});
  const std::string text = read_all();
  EXPECT_EQ(text.find("small"), std::string::npos);
  EXPECT_NE(text.find("large"), std::string::npos);
  EXPECT_TRUE(text.ends_with('\n'));
}

TEST_F(LineLogTest, AReaderThatDoesNotKeepUpCostsLines) {
  const auto log = make_line_log(ends_[1], "json", "info");
  for (int i = 0; i < 20 && log->dropped() == 0; ++i)
    for (int j = 0; j < 50 && log->dropped() == 0; ++j)
      log->note({Severity::info, "event", std::string(1000, 'x'), {}});
  EXPECT_EQ(log->dropped(), 1U);
  // What is there consists of whole lines.
  const std::string text = read_all();
  EXPECT_TRUE(text.ends_with("}\n"));
  log->note({Severity::info, "again", "", {}});
  EXPECT_NE(read_all().find("again"), std::string::npos);
}

TEST_F(LineLogTest, AnAbsurdEventIsCut) {
  const auto log = make_line_log(ends_[1], "json", "info");
  log->note({Severity::info, "event", std::string(100000, '\x01'), {{"a", "b"}}});
  const std::string text = read_all();
  EXPECT_LT(text.size(), 4096U);
  EXPECT_NE(text.find("cut_bytes"), std::string::npos);
  EXPECT_TRUE(text.ends_with("}\n"));
}

}  // namespace
}  // namespace ringwright
