#include "replication/config/address.h"

#include <gtest/gtest.h>

namespace ringwright {
namespace {

TEST(AddressTest, IsReadAndWrittenAlike) {
  for (const std::string text :
       {"127.0.0.1:7480", "[::1]:0", "[fe80::1]:65535", "node1.lab:7481", "localhost:1"}) {
    const auto address = parse_address(text);
    ASSERT_TRUE(address.has_value()) << text;
    EXPECT_EQ(format_address(*address), text);
  }
  EXPECT_EQ(*parse_address("[::1]:7480"), (SocketAddress{"::1", 7480}));
}

TEST(AddressTest, WhatIsNoneIsRefused) {
  for (const std::string_view text :
       {"", ":", "127.0.0.1", ":7480", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
        "127.0.0.1: 7480", "::1:7480", "[::1]", "[::1:7480", "[node1]:7480", "[]:7480",
        "http://node1:7480", "node1:7480x", "node 1:7480"}) {
    const auto address = parse_address(text);
    EXPECT_FALSE(address.has_value()) << text;
    if (!address) {
      EXPECT_NE(address.error().message().find("host:port"), std::string::npos);
    }
  }
  EXPECT_FALSE(parse_address(std::string(300, 'a') + ":1").has_value());
}

TEST(AddressTest, OnlyThisMachineIsLoopback) {
  for (const std::string_view host : {"127.0.0.1", "127.8.9.10", "::1", "0:0::1", "localhost"})
    EXPECT_TRUE(is_loopback_host(host)) << host;
  for (const std::string_view host :
       {"0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "127.0.0.1.lab", "127.example", "node1", ""})
    EXPECT_FALSE(is_loopback_host(host)) << host;
}

}  // namespace
}  // namespace ringwright
