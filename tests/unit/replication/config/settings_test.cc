#include "replication/config/settings.h"

#include <gtest/gtest.h>

#include <map>

#include "engine/registry.h"
#include "replication/resolver/conflict_resolver.h"

namespace ringwright {
namespace {

class SettingsTest : public ::testing::Test {
 protected:
  SettingsTest() { register_builtin_resolvers(registry()); }

  void expect_invalid(const Status& status, const std::string& part) {
    EXPECT_EQ(status.code(), Code::invalid);
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  }

  Settings settings_;
};

TEST_F(SettingsTest, BuiltInValuesMakeOneKeyspace) {
  const auto keyspaces = settings_.keyspaces(registry(), {});
  ASSERT_TRUE(keyspaces.has_value());
  ASSERT_EQ(keyspaces->size(), 1U);
  const Keyspace& keyspace = *keyspaces->front();
  EXPECT_EQ(keyspace.name, "default");
  EXPECT_EQ(keyspace.n, 3U);
  EXPECT_EQ(keyspace.r, 2U);
  EXPECT_EQ(keyspace.w, 2U);
  EXPECT_EQ(keyspace.durability, Durability::os);
  EXPECT_EQ(keyspace.kind(), RecordKind::siblings);
  EXPECT_EQ(keyspace.record_bytes_max, limits::record_bytes_max);
}

TEST_F(SettingsTest, CountsFollowASmallCluster) {
  ASSERT_TRUE(settings_.set("cluster.nodes=1").is_ok());
  EXPECT_EQ(settings_.number("keyspace.default.n"), 1U);
  EXPECT_EQ(settings_.number("keyspace.default.w"), 1U);
  EXPECT_TRUE(settings_.check(registry()).is_ok());
  ASSERT_TRUE(settings_.set("cluster.nodes=7").is_ok());
  ASSERT_TRUE(settings_.set("keyspace.default.n=5").is_ok());
  EXPECT_EQ(settings_.number("keyspace.default.r"), 3U);
}

TEST_F(SettingsTest, Toml) {
  const Status added = settings_.add_toml(R"(
[cluster]
name = "lab"
[keyspace.carts]
resolver = "lww"
ttl = "90s"
sloppy = false
w = 3
[engine.memory]
native_merge = false
)",
                                          "lab.toml");
  ASSERT_TRUE(added.is_ok()) << added.message();
  EXPECT_EQ(settings_.text("cluster.name"), "lab");
  EXPECT_EQ(settings_.keyspace_names(), (std::vector<std::string>{"carts", "default"}));
  const auto keyspaces = settings_.keyspaces(registry(), {});
  ASSERT_TRUE(keyspaces.has_value()) << keyspaces.error().message();
  const Keyspace& carts = *keyspaces->front();
  EXPECT_EQ(carts.kind(), RecordKind::lww);
  EXPECT_EQ(carts.ttl_us, 90'000'000U);
  EXPECT_FALSE(carts.sloppy);
  EXPECT_EQ(carts.w, 3U);
  EXPECT_EQ(carts.engine_options.at("native_merge"), "false");
  EXPECT_EQ(settings_.engine_options("faulty(memory)").size(), 1U);
}

TEST_F(SettingsTest, ANodeMayHaveAnotherEngine) {
  const Status added = settings_.add_toml(R"toml(
[keyspace.default]
engine = "faulty(memory)"
durability = "none"
engine_on = {node2 = "null", node3 = "memory"}
)toml",
                                          "lab.toml");
  ASSERT_TRUE(added.is_ok()) << added.message();
  ASSERT_TRUE(settings_.check(registry()).is_ok()) << settings_.check(registry()).message();
  const auto engine_of = [&](std::string_view node) {
    const auto keyspaces = settings_.keyspaces(registry(), node);
    return keyspaces ? keyspaces->front()->engine : keyspaces.error().message();
  };
  EXPECT_EQ(engine_of(""), "faulty(memory)");
  EXPECT_EQ(engine_of("node1"), "faulty(memory)");
  EXPECT_EQ(engine_of("node2"), "null");
  EXPECT_EQ(engine_of("node3"), "memory");
  std::map<std::string, std::string> listed;
  for (const Settings::Entry& entry : settings_.entries()) listed[entry.key] = entry.value;
  EXPECT_EQ(listed["keyspace.default.engine_on.node2"], "null");
  EXPECT_FALSE(listed.contains("keyspace.default.engine_on"));
}

TEST_F(SettingsTest, EnginesOfNodesAreChecked) {
  expect_invalid(settings_.set("keyspace.default.engine_on=null"), "engine_on.<node>");
  expect_invalid(settings_.set("keyspace.default.engine_onn.node1=null"), "engine_on");
  ASSERT_TRUE(settings_.set("keyspace.default.engine_on.nod2=null").is_ok());
  expect_invalid(settings_.check(registry()), "did you mean 'node2'");

  Settings other;
  ASSERT_TRUE(other.set("keyspace.default.engine_on.node2=memry").is_ok());
  expect_invalid(other.check(registry()), "did you mean 'memory'");
  // A node leaves to others what they run.
  ASSERT_TRUE(other
                  .add_values({{"node.data_dir", "/data"},
                               {"member.node1.client", "127.0.0.1:1"},
                               {"member.node1.peer", "127.0.0.1:2"},
                               {"member.node2.client", "127.0.0.1:3"},
                               {"member.node2.peer", "127.0.0.1:4"}})
                  .is_ok());
  const Status checked = other.for_node().check(registry());
  EXPECT_TRUE(checked.is_ok()) << checked.message();
  ASSERT_TRUE(other.set("node.name=node2").is_ok());
  expect_invalid(other.for_node().check(registry()), "did you mean 'memory'");
}

TEST_F(SettingsTest, EachPartOfAnEngineStackHasItsOwnOptions) {
  const Status added = settings_.add_toml(R"toml(
[keyspace.default]
engine = "slow(faulty(memory))"
[engine.memory]
native_merge = false
[engine.slow]
read_latency = "2ms"
[engine.faulty]
read_fails = 0.01
[engine.pausable]
deadline = "1s"
)toml",
                                          "lab.toml");
  ASSERT_TRUE(added.is_ok()) << added.message();
  const auto keyspaces = settings_.keyspaces(registry(), {});
  ASSERT_TRUE(keyspaces.has_value()) << keyspaces.error().message();
  EXPECT_EQ(keyspaces->front()->engine_options, (EngineOptions{{"native_merge", "false"},
                                                               {"slow.read_latency", "2ms"},
                                                               {"faulty.read_fails", "0.01"}}));
  EXPECT_EQ(settings_.engine_options("memory"), (EngineOptions{{"native_merge", "false"}}));
  EXPECT_TRUE(settings_.engine_options("slow(memory").empty()) << "that is no stack";
}

TEST_F(SettingsTest, TomlErrorsNameTheirPlace) {
  expect_invalid(settings_.add_toml("[cluster]\nname = ", "lab.toml"), "lab.toml:2");
  expect_invalid(settings_.add_toml("[cluster]\nnodes = [1, 2]", "lab.toml"), "cluster.nodes");
  expect_invalid(settings_.add_toml("[cluster]\nname = \"ok\"\nnods = 3", "lab.toml"),
                 "'cluster.nodes'");
  EXPECT_EQ(settings_.text("cluster.name"), "local");
}

TEST_F(SettingsTest, ALaterOriginOutranksAnEarlierOne) {
  ASSERT_TRUE(settings_.set("cluster.nodes=9").is_ok());
  ASSERT_TRUE(settings_
                  .add_environment({{"RINGWRIGHT_CLUSTER__NODES", "8"},
                                    {"RINGWRIGHT_KEYSPACE__CARTS__N", "2"},
                                    {"RINGWRIGHT_PLUGIN_PATH", "/somewhere"},
                                    {"HOME", "/root"}})
                  .is_ok());
  ASSERT_TRUE(
      settings_
          .add_values(
              {{"cluster.nodes", "7"}, {"keyspace.carts.n", "1"}, {"cluster.partitions", "64"}})
          .is_ok());
  EXPECT_EQ(settings_.number("cluster.nodes"), 9U);
  EXPECT_EQ(settings_.number("keyspace.carts.n"), 2U);
  EXPECT_EQ(settings_.number("cluster.partitions"), 64U);
  std::map<std::string, SettingOrigin> origins;
  for (const auto& entry : settings_.entries()) origins[entry.key] = entry.origin;
  EXPECT_EQ(origins.at("cluster.nodes"), SettingOrigin::set);
  EXPECT_EQ(origins.at("keyspace.carts.n"), SettingOrigin::environment);
  EXPECT_EQ(origins.at("cluster.partitions"), SettingOrigin::file);
  EXPECT_EQ(origins.at("cluster.name"), SettingOrigin::built_in);
}

TEST_F(SettingsTest, AnUnknownKeyNamesTheNearest) {
  expect_invalid(settings_.set("keyspace.default.resolvr=lww"), "'keyspace.default.resolver'");
  expect_invalid(settings_.set("clutser.name=x"), "'cluster.name'");
  expect_invalid(settings_.set("keyspace.n=3"), "'keyspace.default.n'");
  expect_invalid(settings_.set("client=3"), "there is no setting 'client'");
  expect_invalid(settings_.set("engine.rocksdb=3"), "engine.<name>.<option>");
  expect_invalid(settings_.set("no assignment"), "section.key=value");
}

TEST_F(SettingsTest, ValuesAreCheckedWhenTheyAreAdded) {
  expect_invalid(settings_.set("keyspace.default.n=0"), "above zero");
  expect_invalid(settings_.set("keyspace.default.ttl=90"), "with a unit");
  expect_invalid(settings_.set("keyspace.default.sloppy=maybe"), "true or false");
  expect_invalid(settings_.set("keyspace.default.durability=dsk"), "keyspace.default.durability");
  expect_invalid(settings_.set("keyspace.default.value_bytes_max=big"), "not a size");
  expect_invalid(settings_.set("keyspace.de fault.n=3"), "no name for a keyspace");
  expect_invalid(settings_.set("cluster.name=a b"), "letters");
  EXPECT_TRUE(settings_.set("client.retries=0").is_ok());
}

TEST_F(SettingsTest, HowValuesFitTogether) {
  const auto refused = [&](const std::string& assignment, const std::string& part) {
    Settings changed = settings_;
    ASSERT_TRUE(changed.set(assignment).is_ok()) << assignment;
    expect_invalid(changed.check(registry()), part);
  };
  refused("keyspace.default.n=4", "only 3 nodes");
  refused("keyspace.default.r=4", "lower r or raise n");
  refused("keyspace.default.w=4", "lower w or raise n");
  refused("keyspace.default.n=17", "at most 16");
  refused("keyspace.default.engine=memry", "'memory'");
  refused("keyspace.default.resolver=lwv", "'lww'");
  refused("cluster.partitions=2", "cluster.partitions");
  refused("membership.suspect_after=100ms", "ping_interval");
  refused("client.timeout=0s", "above zero");
  refused("node.idle_poll=11ms", "at most 10ms");
  refused("keyspace.default.record_bytes_max=8MiB", "must fit a frame");
}

}  // namespace
}  // namespace ringwright
