#include <gtest/gtest.h>

#include "engine/registry.h"
#include "replication/config/node_id.h"
#include "replication/config/settings.h"
#include "replication/resolver/conflict_resolver.h"

namespace ringwright {
namespace {

constexpr std::string_view three_members = R"(
[cluster]
name = "lab"
[node]
name = "node2"
data_dir = "/somewhere"
[member.node1]
client = "127.0.0.1:7480"
peer = "127.0.0.1:7481"
rack = "left"
[member.node2]
rack = "right"
[member.node3]
client = "node3.lab:7480"
peer = "node3.lab:7481"
id = "01234567-89ab-cdef-fedc-ba9876543210"
weight = 3
data_centre = "south"
)";

class NodeSettingsTest : public ::testing::Test {
 protected:
  NodeSettingsTest() {
    register_builtin_resolvers(registry());
    const Status added = settings_.add_toml(three_members, "node2.toml");
    EXPECT_TRUE(added.is_ok()) << added.message();
    settings_ = settings_.for_node();
  }

  Status check_with(const std::string& assignment) {
    Settings changed = settings_;
    const Status added = changed.set(assignment);
    return added.is_ok() ? changed.check(registry()) : added;
  }
  void expect_refused(const std::string& assignment, const std::string& part) {
    const Status status = check_with(assignment);
    EXPECT_EQ(status.code(), Code::invalid) << assignment;
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  }

  Settings settings_;
};

TEST_F(NodeSettingsTest, MembersAreReadInTheOrderOfTheirNames) {
  EXPECT_TRUE(settings_.check(registry()).is_ok()) << settings_.check(registry()).message();
  const std::vector<MemberSettings> members = settings_.members();
  ASSERT_EQ(members.size(), 3U);
  EXPECT_EQ(members[0].member.name, "node1");
  EXPECT_EQ(members[0].member.rack, "left");
  EXPECT_EQ(members[0].client, "127.0.0.1:7480");
  EXPECT_EQ(members[0].member.id, derived_node_id("lab", "node1"));
  EXPECT_EQ(members[1].peer, "");
  EXPECT_EQ(members[2].member,
            (Member{{0x0123456789abcdef, 0xfedcba9876543210}, "node3", "", "south", 3}));
  EXPECT_EQ(settings_.number("cluster.nodes"), 3U);
  EXPECT_EQ(settings_.number("keyspace.default.n"), 3U);
}

TEST_F(NodeSettingsTest, ADerivedIdIsFixedForEver) {
  EXPECT_EQ(to_string(derived_node_id("lab", "node1")), "c023c68d-c9d4-7239-d636-0729418a718e");
  EXPECT_NE(derived_node_id("lab", "node1"), derived_node_id("lab", "node2"));
  // The two names do not run into one another.
  EXPECT_NE(derived_node_id("lab", "node1"), derived_node_id("labn", "ode1"));
}

TEST_F(NodeSettingsTest, ANodeHasBuiltInValuesOfItsOwn) {
  const Settings cluster;
  const Settings node = cluster.for_node();
  EXPECT_EQ(cluster.text("keyspace.default.durability"), "os");
  EXPECT_EQ(node.text("keyspace.default.durability"), "disk");
  EXPECT_EQ(node.text("keyspace.carts.durability"), "disk");
  EXPECT_EQ(cluster.text("transport.kind"), "loopback");
  EXPECT_EQ(node.text("transport.kind"), "thrift");
  EXPECT_EQ(node.number("cluster.nodes"), 1U);
  EXPECT_EQ(node.number("keyspace.default.n"), 1U);
  ASSERT_TRUE(settings_.set("keyspace.default.durability=os").is_ok());
  EXPECT_EQ(settings_.text("keyspace.default.durability"), "os");
}

TEST_F(NodeSettingsTest, WithoutMembersTheNodeIsAlone) {
  Settings alone;
  ASSERT_TRUE(alone.set("node.name=one").is_ok());
  ASSERT_TRUE(alone.set("node.rack=left").is_ok());
  alone = alone.for_node();
  ASSERT_EQ(alone.members().size(), 1U);
  EXPECT_EQ(alone.members()[0].member,
            (Member{derived_node_id("local", "one"), "one", "left", "", 1}));
  ASSERT_TRUE(alone.set("node.id=0123456789abcdeffedcba9876543210").is_ok());
  EXPECT_EQ(alone.members()[0].member.id, (NodeId{0x0123456789abcdef, 0xfedcba9876543210}));
}

TEST_F(NodeSettingsTest, WhatDoesNotFitTogetherIsRefused) {
  expect_refused("node.name=node4", "did you mean 'node");
  expect_refused("node.data_dir=", "node.data_dir is not set");
  expect_refused("member.node3.peer=", "member.node3.peer does not say");
  expect_refused("member.node3.client=node3:0", "member.node3.client does not say");
  expect_refused("member.node1.id=0123456789abcdeffedcba9876543210", "has the id of member.node1");
  expect_refused("node.id=0123456789abcdeffedcba9876543210", "member.node2.id differ");
  expect_refused("node.rack=up", "member.node2.rack differ");
  expect_refused("cluster.nodes=5", "there are 3 members");
  expect_refused("keyspace.default.n=4", "add a [member.<name>]");
  expect_refused("keyspace.default.resolver=mine", "`ringwright serve`");
}

TEST_F(NodeSettingsTest, AListenerIsOpenToOtherMachinesOnlyOnRequest) {
  expect_refused("listen.client=0.0.0.0:7480", "listen.insecure=true");
  expect_refused("listen.peer=[::]:7480", "listen.insecure=true");
  expect_refused("listen.admin=node2.lab:7482", "listen.insecure=true");
  expect_refused("listen.client=", "listen.client is empty");
  EXPECT_TRUE(check_with("listen.client=[::1]:0").is_ok());
  EXPECT_TRUE(check_with("listen.admin=").is_ok());
  ASSERT_TRUE(settings_.set("listen.insecure=true").is_ok());
  EXPECT_TRUE(check_with("listen.client=0.0.0.0:7480").is_ok());
}

TEST_F(NodeSettingsTest, ValuesAreCheckedWhenTheyAreAdded) {
  expect_refused("listen.client=7480", "host:port");
  expect_refused("member.node1.peer=node1", "host:port");
  expect_refused("member.node1.weight=0", "above zero");
  expect_refused("node.id=node1", "a UUID");
  expect_refused("node.name=", "letters");
  expect_refused("log.format=xml", "text or json");
  expect_refused("log.level=loud", "debug, info, warning or error");
  expect_refused("dev.faults=perhaps", "true or false");
}

TEST_F(NodeSettingsTest, AnUnknownKeyNamesTheNearest) {
  expect_refused("member.node1.pear=127.0.0.1:1", "'member.node1.peer'");
  expect_refused("member.peer=127.0.0.1:1", "'member.<name>.peer'");
  expect_refused("members.node1.peer=127.0.0.1:1", "'member.<name>.");
  expect_refused("listen.amdin=127.0.0.1:1", "'listen.admin'");
  expect_refused("member.a b.peer=127.0.0.1:1", "no name for a member");
}

TEST_F(NodeSettingsTest, EntriesShowMembersAndTheNodesOwnValues) {
  std::map<std::string, Settings::Entry> entries;
  for (const auto& entry : settings_.entries()) entries[entry.key] = entry;
  EXPECT_EQ(entries.at("member.node3.weight").value, "3");
  EXPECT_EQ(entries.at("member.node3.weight").origin, SettingOrigin::file);
  EXPECT_EQ(entries.at("member.node1.weight").origin, SettingOrigin::built_in);
  EXPECT_EQ(entries.at("cluster.nodes").value, "3");
  EXPECT_EQ(entries.at("keyspace.default.durability").value, "disk");
}

}  // namespace
}  // namespace ringwright
