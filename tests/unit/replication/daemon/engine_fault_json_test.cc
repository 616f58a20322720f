#include "replication/daemon/engine_fault_json.h"

#include <gtest/gtest.h>

namespace ringwright {
namespace {

TEST(EngineFaultJsonTest, IsRead) {
  const auto parsed = parse_engine_changes(
      R"({"engines":[{"keyspace":"default","paused":true},)"
      R"({"keyspace":"carts","faults":{"read_fails":0.25,"sync_fails":"next:2"}}]})");
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message();
  EXPECT_EQ(*parsed,
            (std::vector<EngineFaults>{
                {"default", true, {}},
                {"carts", std::nullopt, {{"read_fails", "0.25"}, {"sync_fails", "next:2"}}}}));
  EXPECT_TRUE(parse_engine_changes(R"({"engines":[]})")->empty());
}

TEST(EngineFaultJsonTest, IsShownBesideTheLinks) {
  EXPECT_EQ(faults_json({}, {}), R"({"links":[]})");
  EXPECT_EQ(faults_json({}, {{"a", false, {}}, {"b", std::nullopt, {{"read_fails", "0.5"}}}}),
            R"({"links":[],"engines":[{"keyspace":"a","paused":false,"faults":{}},)"
            R"({"keyspace":"b","faults":{"read_fails":"0.5"}}]})");
}

TEST(EngineFaultJsonTest, WhatIsMalformedIsNamed) {
  for (const auto& [text, part] : std::vector<std::pair<std::string, std::string>>{
           {"", "no JSON"},
           {"[1]", "not of the form"},
           {R"({"engines":{}})", "not of the form"},
           {R"({"engines":[],"links":[]})", "not of the form"},
           {R"({"engines":[7]})", "engines[0] is no object"},
           {R"({"engines":[{"keyspace":"a"},{"paused":true}]})", "engines[1] lacks `keyspace`"},
           {R"({"engines":[{"keyspace":1}]})", "engines[0].keyspace is not the name"},
           {R"({"engines":[{"keyspace":"a","paused":1}]})", "neither true nor false"},
           {R"({"engines":[{"keyspace":"a","faults":[]}]})", "engines[0].faults is no object"},
           {R"({"engines":[{"keyspace":"a","faults":{"x":true}}]})", "faults.x is neither text"},
           {R"({"engines":[{"keyspace":"a","pause":true}]})", "unknown key 'pause'"}}) {
    const auto parsed = parse_engine_changes(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_NE(parsed.error().message().find(part), std::string::npos) << parsed.error().message();
  }
}

}  // namespace
}  // namespace ringwright
