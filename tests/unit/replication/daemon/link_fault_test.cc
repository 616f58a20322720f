#include "replication/daemon/link_fault.h"

#include <gtest/gtest.h>

namespace ringwright {
namespace {

TEST(LinkFaultTest, IsReadAsItIsWritten) {
  const std::vector<LinkFault> faults = {{"node1", "node2", true, 0},
                                         {"node2", "node1", false, 50}};
  const std::string text = R"({"links":[{"from":"node1","to":"node2","cut":true,"delay_ms":0},)"
                           R"({"from":"node2","to":"node1","cut":false,"delay_ms":50}]})";
  EXPECT_EQ(link_faults_json(faults), text);
  EXPECT_EQ(*parse_link_faults(text), faults);
  EXPECT_EQ(parse_link_faults(R"({"links":[]})")->size(), 0U);
  EXPECT_EQ(*parse_link_faults(R"({"links":[{"from":"a","to":"b"}]})"),
            (std::vector<LinkFault>{{"a", "b", false, 0}}));
}

TEST(LinkFaultTest, WhatIsMalformedIsNamed) {
  for (const auto& [text, part] : std::vector<std::pair<std::string, std::string>>{
           {"", "no JSON"},
           {"[1]", "not of the form"},
           {R"({"links":{}})", "not of the form"},
           {R"({"links":[],"more":1})", "not of the form"},
           {R"({"links":[7]})", "links[0] is no object"},
           {R"({"links":[{"from":"a","to":"b"},{"from":"a"}]})", "links[1] lacks"},
           {R"({"links":[{"from":1,"to":"b"}]})", "links[0].from is not the name"},
           {R"({"links":[{"from":"a","to":"b","cut":1}]})", "neither true nor false"},
           {R"({"links":[{"from":"a","to":"b","delay_ms":60001}]})", "from 0 to 60000"},
           {R"({"links":[{"from":"a","to":"b","delay_ms":1.5}]})", "from 0 to 60000"},
           {R"({"links":[{"from":"a","to":"b","delay":1}]})", "unknown key 'delay'"},
           {R"({"links":[{"from":"a","to":"b"},{"from":"a","to":"b"}]})", "named twice"}}) {
    const auto parsed = parse_link_faults(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_NE(parsed.error().message().find(part), std::string::npos) << parsed.error().message();
  }
}

}  // namespace
}  // namespace ringwright
