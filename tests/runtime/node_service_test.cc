#include "replication/daemon/node_service.h"

#include <gtest/gtest.h>

#include <mutex>

#include "replication/config/address.h"
#include "replication/config/node_id.h"
#include "replication/daemon/http_server.h"
#include "replication/runtime/temporary_directory.h"
#include "tests/runtime/http_client.h"
#include "tests/support/exposition.h"

namespace ringwright {
namespace {

class EventsByHand final : public EventLog {
 public:
  void note(const Event& event) override {
    const std::lock_guard lock(mutex_);
    names_.push_back(event.name);
  }
  std::vector<std::string> names() const {
    const std::lock_guard lock(mutex_);
    return names_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> names_;
};

class NodeServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::move(*TemporaryDirectory::make("ringwright-test-"));
    set("transport.kind=loopback");
    set("cluster.name=lab");
    set("node.name=one");
    set("node.data_dir=" + folder_->path() + "/one");
    set("listen.admin=127.0.0.1:0");
  }
  void set(const std::string& assignment) {
    const Status status = settings_.set(assignment);
    ASSERT_TRUE(status.is_ok()) << status.message();
  }
  std::unique_ptr<NodeService> open() {
    auto opened = NodeService::open(settings_, events_);
    EXPECT_TRUE(opened.has_value()) << opened.status().message();
    return opened ? std::move(*opened) : nullptr;
  }
  Status refusal() { return NodeService::open(settings_, events_).status(); }

  std::unique_ptr<TemporaryDirectory> folder_;
  Settings settings_;
  std::shared_ptr<EventsByHand> events_ = std::make_shared<EventsByHand>();
};

int code_of(const NodeService& node, const std::string& path) {
  return http_get(node.addresses().admin, path).status;
}

TEST_F(NodeServiceTest, ServesAndStops) {
  const auto node = open();
  ASSERT_TRUE(node);
  EXPECT_TRUE(node->is_ready());
  EXPECT_EQ(node->id(), derived_node_id("lab", "one"));
  EXPECT_EQ(node->addresses().client, "loopback:1");
  const NodeStatus status = node->status();
  EXPECT_EQ(status.condition, NodeCondition::up);
  EXPECT_EQ(status.members, (std::map<std::string, MemberState>{{"one", MemberState::alive}}));
  EXPECT_EQ(status.engines.front().durability, Durability::disk);
  const std::string admin = node->addresses().admin;
  EXPECT_EQ(http_get(admin, "/readyz").status, 200);
  EXPECT_TRUE(node->stop().is_ok());
  EXPECT_FALSE(node->is_ready());
  EXPECT_EQ(http_get(admin, "/readyz").status, 0);
  EXPECT_TRUE(node->stop().is_ok());
  EXPECT_EQ(events_->names(), (std::vector<std::string>{"node_starting", "node_ready",
                                                        "node_draining", "node_stopped"}));
}

TEST_F(NodeServiceTest, ADrainedNodeIsAliveAndNotReady) {
  const auto node = open();
  ASSERT_TRUE(node);
  EXPECT_TRUE(node->drain().is_ok());
  EXPECT_EQ(code_of(*node, "/livez"), 200);
  EXPECT_EQ(code_of(*node, "/readyz"), 503);
  EXPECT_EQ(code_of(*node, "/health"), 503);
  EXPECT_EQ(code_of(*node, "/metrics"), 200);
  const HttpAnswer status = http_get(node->addresses().admin, "/status");
  EXPECT_EQ(status.status, 200);
  EXPECT_NE(status.body.find("\"condition\":\"stopped\""), std::string::npos) << status.body;
  // What it counted is still shown.
  EXPECT_NE(status.body.find("ringwright_loop_wake_ups_total"), std::string::npos);
}

TEST_F(NodeServiceTest, ComesBackAsTheSameNodeAfterAStopAndAKill) {
  NodeId id;
  for (const bool clean : {true, false, true}) {
    const auto node = open();
    ASSERT_TRUE(node);
    if (id == NodeId{}) id = node->id();
    EXPECT_EQ(node->id(), id);
    EXPECT_EQ(refusal().code(), Code::locked);
    if (clean)
      EXPECT_TRUE(node->stop().is_ok());
    else
      node->kill();
    EXPECT_EQ(node->status().condition, clean ? NodeCondition::stopped : NodeCondition::killed);
  }
}

TEST_F(NodeServiceTest, TheDirectoryOfAnotherNodeIsRefused) {
  ASSERT_TRUE(open());
  set("node.name=two");
  EXPECT_EQ(refusal().code(), Code::mismatch);
  set("node.id=" + to_string(derived_node_id("lab", "one")));
  EXPECT_TRUE(open());
  set("cluster.name=elsewhere");
  EXPECT_EQ(refusal().code(), Code::mismatch);
  EXPECT_EQ(events_->names().back(), "node_failed");
}

TEST_F(NodeServiceTest, AnAddressThatIsTakenIsRefused) {
  const auto first = open();
  ASSERT_TRUE(first);
  set("listen.admin=" + first->addresses().admin);
  set("node.data_dir=" + folder_->path() + "/two");
  const Status status = refusal();
  EXPECT_EQ(status.code(), Code::unavailable);
  EXPECT_NE(status.message().find("listen.admin"), std::string::npos) << status.message();
}

TEST_F(NodeServiceTest, WithoutAnAdminPortNothingListens) {
  set("listen.admin=");
  const auto node = open();
  ASSERT_TRUE(node);
  EXPECT_EQ(node->addresses().admin, "");
  EXPECT_TRUE(node->is_ready());
}

TEST_F(NodeServiceTest, FaultsNeedThePermission) {
  const auto node = open();
  ASSERT_TRUE(node);
  EXPECT_FALSE(node->may_inject_faults());
  EXPECT_EQ(node->set_faults({}).code(), Code::invalid);
}

TEST_F(NodeServiceTest, ItsMetricsAreWellFormedAndKnowItsEngines) {
  const auto node = open();
  ASSERT_TRUE(node);
  const HttpAnswer answer = http_get(node->addresses().admin, "/metrics");
  ASSERT_EQ(answer.status, 200);
  const Exposition page(answer.body);
  EXPECT_EQ(page.value("ringwright_engine_info{keyspace=\"default\",engine=\"memory\","
                       "durability=\"disk\"}"),
            1);
  // The lease of the clock was written and synced before the node served.
  EXPECT_GE(page.value("ringwright_engine_calls_total{keyspace=\"system\",op=\"write\"}"), 1);
  EXPECT_GE(page.value("ringwright_engine_fsync_duration_seconds_count{keyspace=\"system\"}"), 1);
  EXPECT_EQ(page.value("ringwright_engine_damaged_ranges{keyspace=\"default\"}"), 0);
}

TEST_F(NodeServiceTest, EnginesArePausedAndMadeToFailOverTheAdminPort) {
  set("dev.faults=true");
  set("keyspace.default.engine=pausable(faulty(memory))");
  const auto node = open();
  ASSERT_TRUE(node);
  const auto post = [&](const std::string& body) {
    return http_exchange(node->addresses().admin,
                         "POST /faults HTTP/1.1\r\nContent-Length: " + std::to_string(body.size()) +
                             "\r\n\r\n" + body);
  };
  const HttpAnswer changed =
      post(R"({"engines":[{"keyspace":"default","paused":true,"faults":{"read_fails":0.5}}]})");
  EXPECT_EQ(changed.status, 200);
  const std::string now = R"({"links":[],"engines":[{"keyspace":"default","paused":true,)"
                          R"("faults":{"read_fails":"0.5"}}]})"
                          "\n";
  EXPECT_EQ(changed.body, now);
  EXPECT_EQ(http_get(node->addresses().admin, "/faults").body, now);
  EXPECT_NE(http_get(node->addresses().admin, "/health").body.find("stands still on purpose"),
            std::string::npos);
  const HttpAnswer refused =
      post(R"({"engines":[{"keyspace":"default","faults":{"red_fails":1}}]})");
  EXPECT_EQ(refused.status, 400);
  EXPECT_NE(refused.body.find("did you mean 'read_fails'"), std::string::npos) << refused.body;
  EXPECT_EQ(post(R"({"engines":[{"keyspace":"defalt","paused":false}]})").status, 400);
  // A paused engine does not keep its node from ending.
  EXPECT_TRUE(node->stop().is_ok());
}

TEST_F(NodeServiceTest, EngineFaultsNeedThePermission) {
  const auto node = open();
  ASSERT_TRUE(node);
  EXPECT_EQ(node->change_engines({{"default", true, {}}}).code(), Code::invalid);
  EXPECT_EQ(http_exchange(node->addresses().admin,
                          "POST /faults HTTP/1.1\r\nContent-Length: 14\r\n\r\n{\"engines\":[]}")
                .status,
            403);
}

}  // namespace
}  // namespace ringwright
