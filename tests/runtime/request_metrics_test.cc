#include "replication/daemon/request_metrics.h"

#include "replication/daemon/node_metrics.h"
#include "tests/runtime/cluster_fixture.h"

namespace ringwright {
namespace {

// What a node's page says after requests that a client made of it.
class RequestMetricsTest : public ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    if (IsSkipped()) return;
    set("client.retries", "0");
    set("membership.suspect_after", "60s");
  }
  // A sample's value; 0 where there is none.
  double shown(const std::string& sample, const std::string& node = "node1") {
    const auto status = cluster_->status(node);
    EXPECT_TRUE(status.has_value());
    const auto samples = node_metrics(*status);
    const auto at = samples.find("ringwright_" + sample);
    return at == samples.end() ? 0 : at->second;
  }
  double requests(const std::string& op, const std::string& outcome,
                  const std::string& node = "node1") {
    return shown("request_duration_seconds_count{op=\"" + op +
                     "\",keyspace=\"default\",outcome=\"" + outcome + "\"}",
                 node);
  }
  double requests_up_to(const std::string& seconds, const std::string& op,
                        const std::string& outcome) {
    return shown("request_duration_seconds_bucket{op=\"" + op +
                 "\",keyspace=\"default\",outcome=\"" + outcome + "\",le=\"" + seconds + "\"}");
  }
  double replica_requests(const std::string& op, const std::string& peer) {
    return shown("replica_duration_seconds_count{op=\"" + op + "\",peer=\"" + peer + "\"}");
  }
  double replica_requests_up_to(const std::string& seconds, const std::string& op,
                                const std::string& peer) {
    return shown("replica_duration_seconds_bucket{op=\"" + op + "\",peer=\"" + peer + "\",le=\"" +
                 seconds + "\"}");
  }
  // To all the others, before anybody suspects them.
  void cut_off(const std::string& node) {
    for (const std::string& other : cluster_->node_names()) {
      if (other == node) continue;
      ASSERT_TRUE(cluster_->cut(node, other).is_ok());
    }
  }
  static PutOptions blind(Level w = {}) {
    PutOptions options;
    options.context = Bytes();
    options.blind = true;
    options.w = w;
    return options;
  }
};

TEST_P(RequestMetricsTest, EachRequestCountsOnceUnderItsNameAndOutcome) {
  open();
  const auto client = client_of("node1");
  EXPECT_EQ(requests("put", "ok"), 0);
  for (int i = 0; i < 5; ++i) ASSERT_OK(client->put("k" + std::to_string(i), "value", blind()));
  for (int i = 0; i < 3; ++i) ASSERT_OK(client->get("k1"));
  ASSERT_OK(client->remove("k1", blind()));
  EXPECT_EQ(requests("put", "ok"), 5);
  EXPECT_EQ(requests("get", "ok"), 3);
  EXPECT_EQ(requests("remove", "ok"), 1);
  EXPECT_EQ(requests_up_to("+Inf", "put", "ok"), 5);
  EXPECT_EQ(requests_up_to("1e-06", "put", "ok"), 0) << "nothing takes no time";
  EXPECT_GT(shown("request_duration_seconds_sum{op=\"put\",keyspace=\"default\",outcome=\"ok\"}"),
            0);
  EXPECT_EQ(shown("request_errors_total{op=\"put\",code=\"unavailable\"}"), 0);
  for (const char* const other : {"node2", "node3"})
    EXPECT_EQ(requests("put", "ok", other) + requests("get", "ok", other), 0)
        << "a replica is no coordinator";
}

TEST_P(RequestMetricsTest, TooFewReplicasAreUnavailable) {
  set("membership.suspect_after", "500ms");
  open();
  const auto client = client_of("node1");
  ASSERT_TRUE(cluster_->kill("node2").is_ok());
  ASSERT_TRUE(cluster_->kill("node3").is_ok());
  ASSERT_TRUE(comes_true([&] { return sees_suspects("node1", {"node2", "node3"}); }));
  EXPECT_EQ(client->put("k", "value", blind()).error().code, Code::unavailable);
  EXPECT_EQ(client->get("k").error().code, Code::unavailable);
  ASSERT_OK(client->put("k", "value", blind({1})));
  EXPECT_EQ(requests("put", "unavailable"), 1);
  EXPECT_EQ(requests("get", "unavailable"), 1);
  EXPECT_EQ(requests("put", "ok"), 1);
  EXPECT_EQ(requests("get", "ok"), 0);
  EXPECT_EQ(shown("request_errors_total{op=\"put\",code=\"unavailable\"}"), 1);
  EXPECT_EQ(shown("siblings_count{keyspace=\"default\"}"), 0) << "nothing was found";
}

TEST_P(RequestMetricsTest, AnInvalidRequestIsShownAndAnUnknownKeyspaceHasNoLabelOfItsOwn) {
  open();
  const auto client = client_of("node1");
  PutOptions options = blind();
  EXPECT_EQ(client->put("k", "value", blind({9})).error().code, Code::invalid);
  EXPECT_EQ(requests("put", "invalid"), 1);
  options.keyspace = "no such";
  EXPECT_EQ(client->put("k", "value", options).error().code, Code::invalid);
  EXPECT_EQ(requests("put", "invalid"), 1);
  for (const auto& [sample, value] : node_metrics(*cluster_->status("node1")))
    EXPECT_EQ(sample.find("no such"), sample.npos) << sample;
}

TEST_P(RequestMetricsTest, GetsShowSiblingsAndTheirBytes) {
  open();
  const auto client = client_of("node1");
  const std::string of_keyspace = "{keyspace=\"default\"";
  ASSERT_OK(client->get("k"));
  EXPECT_EQ(shown("siblings_count" + of_keyspace + "}"), 0) << "nothing was there";
  for (const std::size_t bytes : {100, 200, 1000})
    ASSERT_OK(client->put("k", Bytes(bytes, 'v'), blind(*parse_level("all"))));
  ASSERT_OK(client->get("k"));
  EXPECT_EQ(shown("siblings_bucket" + of_keyspace + ",le=\"2\"}"), 0);
  EXPECT_EQ(shown("siblings_bucket" + of_keyspace + ",le=\"4\"}"), 1);
  EXPECT_EQ(shown("siblings_sum" + of_keyspace + "}"), 3);
  EXPECT_EQ(shown("object_bytes_sum" + of_keyspace + "}"), 1300);
  EXPECT_EQ(shown("object_bytes_bucket" + of_keyspace + ",le=\"1024\"}"), 0);
  EXPECT_EQ(shown("object_bytes_bucket" + of_keyspace + ",le=\"4096\"}"), 1);
  ASSERT_OK(client->put("k", "one"));
  ASSERT_OK(client->get("k"));
  EXPECT_EQ(shown("siblings_bucket" + of_keyspace + ",le=\"1\"}"), 1);
}

TEST_P(RequestMetricsTest, APutThatIsSentOnCountsWhereItsClientAsked) {
  constexpr int puts = 300;
  set("cluster.nodes", "4");
  set("keyspace.default.n", "1");
  set("keyspace.default.r", "1");
  set("keyspace.default.w", "1");
  open();
  const auto client = client_of("node1");
  for (int i = 0; i < puts; ++i) ASSERT_OK(client->put("k" + std::to_string(i), "value", blind()));
  EXPECT_EQ(requests("put", "ok"), puts);
  double forwards = 0;
  for (const std::string& other : cluster_->node_names()) {
    if (other == "node1") continue;
    EXPECT_EQ(requests("put", "ok", other), 0) << other;
    forwards += replica_requests("forward", other);
  }
  EXPECT_GT(forwards, puts / 4) << "of about three quarters";
  EXPECT_LE(forwards, puts);
}

INSTANTIATE_TEST_SUITE_P(, RequestMetricsTest,
                         ::testing::Values(Variant{"memory", 1}, Variant{"memory", 2},
                                           Variant{"memory", 2, "thrift"}),
                         variant_name);

// Links can be cut and delayed in the in-process network.
class DisturbedRequestMetricsTest : public RequestMetricsTest {};

TEST_P(DisturbedRequestMetricsTest, ARequestThatTimesOutTookAsLongAsItsTimeout) {
  open();
  const auto client = client_of("node1");
  cut_off("node1");
  PutOptions options = blind();
  options.timeout = milliseconds(60);
  EXPECT_EQ(client->put("k", "value", options).error().code, Code::timed_out);
  EXPECT_EQ(requests("put", "timed_out"), 1);
  EXPECT_EQ(requests_up_to("0.05", "put", "timed_out"), 0);
  EXPECT_EQ(requests_up_to("10", "put", "timed_out"), 1);
  EXPECT_EQ(requests("put", "ok"), 0);
}

TEST_P(DisturbedRequestMetricsTest, APeerThatLagsIsSeenThoughNobodyWaitsForIt) {
  open();
  const auto client = client_of("node1");
  ASSERT_TRUE(cluster_->delay("node3", "node1", milliseconds(60)).is_ok());
  // The client's threshold is met by node1 and node2.
  for (int i = 0; i < 100; ++i) ASSERT_OK(client->put("k" + std::to_string(i), "value", blind()));
  ASSERT_TRUE(comes_true([&] { return replica_requests("write", "node3") > 0; }));
  EXPECT_EQ(replica_requests_up_to("0.05", "write", "node3"), 0);
  EXPECT_GT(replica_requests_up_to("0.05", "write", "node2"), 0);
  EXPECT_EQ(replica_requests("write", "node1"), 0) << "a node is no peer of its own";
  EXPECT_EQ(replica_requests("read", "node3"), 0);
  for (int i = 0; i < 100; ++i) ASSERT_OK(client->get("k" + std::to_string(i)));
  ASSERT_TRUE(comes_true([&] { return replica_requests("read", "node3") > 0; }));
  EXPECT_EQ(replica_requests_up_to("0.05", "read", "node3"), 0);
}

INSTANTIATE_TEST_SUITE_P(, DisturbedRequestMetricsTest,
                         ::testing::Values(Variant{"memory", 1}, Variant{"memory", 2}),
                         variant_name);

}  // namespace
}  // namespace ringwright
