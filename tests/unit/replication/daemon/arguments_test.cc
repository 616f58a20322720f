#include "replication/daemon/arguments.h"

#include <gtest/gtest.h>

namespace ringwright {
namespace {

Result<Arguments> parse(const std::vector<std::string>& words) { return parse_arguments(words); }

TEST(ArgumentsTest, AreTakenInBothForms) {
  const auto taken = parse({"--config", "a.toml", "--set", "node.name=x",
                            "--set=engine.rocksdb.a=b=c", "--check", "--control-fd=7"});
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(taken->config, "a.toml");
  EXPECT_EQ(taken->sets, (std::vector<std::string>{"node.name=x", "engine.rocksdb.a=b=c"}));
  EXPECT_TRUE(taken->check);
  EXPECT_EQ(taken->control_fd, 7);
  EXPECT_EQ(parse({"--config=b.toml"})->config, "b.toml");
  EXPECT_TRUE(parse({"-h"})->help);
  EXPECT_TRUE(parse({"--version"})->version);
}

TEST(ArgumentsTest, WhatIsWrongIsNamed) {
  for (const auto& [words, part] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"--confg", "a"}, "'--config'"},
           {{"--config"}, "needs a value"},
           {{"--config="}, "needs a path"},
           {{"--check=yes"}, "'--check'"},
           {{"--control-fd", "-1"}, "no file descriptor"},
           {{"--control-fd", "3x"}, "no file descriptor"},
           {{"node.toml"}, "there is no option 'node.toml'"}}) {
    const auto taken = parse(words);
    ASSERT_FALSE(taken.has_value()) << words[0];
    EXPECT_EQ(taken.error().code(), Code::invalid);
    EXPECT_NE(taken.error().message().find(part), std::string::npos) << taken.error().message();
  }
}

}  // namespace
}  // namespace ringwright
