#include "engine/base/units.h"

#include <gtest/gtest.h>

namespace ringwright {
namespace {

TEST(UnitsTest, Sizes) {
  EXPECT_EQ(*parse_size("0"), 0U);
  EXPECT_EQ(*parse_size("4096"), 4096U);
  EXPECT_EQ(*parse_size("64MiB"), 64U << 20);
  EXPECT_EQ(*parse_size(" 1.5 gib "), 3U << 29);
  EXPECT_EQ(*parse_size("100kB"), 100'000U);
  for (const char* wrong : {"", "MiB", "-1", "1.5", "64 MB iB", "0x10", "inf", "9000000TiB", "1e3"})
    EXPECT_EQ(parse_size(wrong).status().code(), Code::invalid) << wrong;
}

TEST(UnitsTest, Durations) {
  EXPECT_EQ(*parse_duration("0"), 0);
  EXPECT_EQ(*parse_duration("250ms"), milliseconds(250));
  EXPECT_EQ(*parse_duration("1.5s"), milliseconds(1500));
  EXPECT_EQ(*parse_duration("2 min"), seconds(120));
  EXPECT_EQ(*parse_duration("1d"), seconds(86400));
  for (const char* wrong : {"", "250", "ms", "-1s", "1 fortnight", "0.5ns", "300000d"})
    EXPECT_EQ(parse_duration(wrong).status().code(), Code::invalid) << wrong;
}

TEST(UnitsTest, Shares) {
  EXPECT_EQ(*parse_share("0"), 0);
  EXPECT_EQ(*parse_share("1"), 1);
  EXPECT_EQ(*parse_share("0.25"), 0.25);
  EXPECT_EQ(*parse_share("12.5 %"), 0.125);
  for (const char* wrong : {"", "%", "1.1", "101%", "-0.1", "0.5s", "half", "nan"})
    EXPECT_EQ(parse_share(wrong).status().code(), Code::invalid) << wrong;
}

TEST(UnitsTest, WhatIsShownIsReadBack) {
  for (const std::uint64_t size : {0ULL, 1ULL, 1000ULL, 1024ULL, 7'798'784ULL, 1ULL << 40})
    EXPECT_EQ(*parse_size(format_size(size)), size) << format_size(size);
  for (const Nanoseconds span : {Nanoseconds{0}, Nanoseconds{1}, milliseconds(250), seconds(90)})
    EXPECT_EQ(*parse_duration(format_duration(span)), span) << format_duration(span);
  EXPECT_EQ(format_size(64 << 20), "64MiB");
  EXPECT_EQ(format_duration(milliseconds(250)), "250ms");
}

}  // namespace
}  // namespace ringwright
