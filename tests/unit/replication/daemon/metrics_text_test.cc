#include "replication/daemon/metrics_text.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "replication/daemon/node_json.h"
#include "replication/daemon/node_metrics.h"
#include "tests/support/exposition.h"

namespace ringwright {
namespace {

TEST(MetricsTextTest, TheTextIsTheFormat) {
  MetricsText metrics;
  metrics.gauge("b_bytes", "Back\\slash and\nline.", 1.5, {{"name", "a\"b\\c\nd"}, {"x", ""}});
  metrics.counter("a_total", "First.", 3);
  metrics.gauge("c", "Odd.", std::numeric_limits<double>::infinity());
  EXPECT_EQ(metrics.text(),
            "# HELP a_total First.\n"
            "# TYPE a_total counter\n"
            "a_total 3\n"
            "# HELP b_bytes Back\\\\slash and\\nline.\n"
            "# TYPE b_bytes gauge\n"
            "b_bytes{name=\"a\\\"b\\\\c\\nd\",x=\"\"} 1.5\n"
            "# HELP c Odd.\n"
            "# TYPE c gauge\n"
            "c +Inf\n");
}

TEST(MetricsTextTest, LabelsInANameBelongToOneFamily) {
  MetricsText metrics;
  // `foo_total_more` sorts between `foo_total` and `foo_total{`, and must not tear them apart.
  EXPECT_TRUE(metrics.named_counter("foo_total{op=\"put\"}", "Help.", 2));
  EXPECT_TRUE(metrics.named_counter("foo_total_more", "More.", 7));
  EXPECT_TRUE(metrics.named_counter("foo_total", "Help.", 1));
  EXPECT_TRUE(metrics.named_counter("foo_total{op=\"get\",to=\"a,b=\\\"c}\"}", "Help.", 3));
  EXPECT_EQ(metrics.text(),
            "# HELP foo_total Help.\n"
            "# TYPE foo_total counter\n"
            "foo_total 1\n"
            "foo_total{op=\"get\",to=\"a,b=\\\"c}\"} 3\n"
            "foo_total{op=\"put\"} 2\n"
            "# HELP foo_total_more More.\n"
            "# TYPE foo_total_more gauge\n"
            "foo_total_more 7\n");
}

TEST(MetricsTextTest, AHistogramAddsItsBucketsUp) {
  MetricsText metrics;
  const std::array<std::uint64_t, 2> bounds = {1'000, 2'500'000};
  const std::array<std::uint64_t, 3> counts = {3, 0, 2};
  metrics.histogram("a_seconds", "Help.", bounds, counts, 4'500'000'000, 1e9, {{"op", "get"}});
  metrics.histogram("b_keys", "Help.", bounds, counts, 7, 1);
  const std::string text = metrics.text();
  EXPECT_EQ(text.substr(0, text.find("# HELP b")),
            "# HELP a_seconds Help.\n"
            "# TYPE a_seconds histogram\n"
            "a_seconds_bucket{op=\"get\",le=\"1e-06\"} 3\n"
            "a_seconds_bucket{op=\"get\",le=\"0.0025\"} 3\n"
            "a_seconds_bucket{op=\"get\",le=\"+Inf\"} 5\n"
            "a_seconds_sum{op=\"get\"} 4.5\n"
            "a_seconds_count{op=\"get\"} 5\n");
  const Exposition page(text);
  EXPECT_EQ(page.value("b_keys_bucket{le=\"1000\"}"), 3);
  EXPECT_EQ(page.value("b_keys_sum"), 7);
  const auto samples = metrics.samples();
  EXPECT_EQ(samples.at("a_seconds_bucket{op=\"get\",le=\"+Inf\"}"), 5);
  EXPECT_EQ(samples.at("a_seconds_sum{op=\"get\"}"), 4.5);
  EXPECT_EQ(samples.size(), 10u);
}

TEST(MetricsTextTest, AMalformedNameIsRefused) {
  MetricsText metrics;
  for (const std::string_view name :
       {"", "7up_total", "a b", "a{", "a}", "a{}x", "a{b}", "a{b=}", "a{b=c}", "a{b=\"c}",
        "a{b=\"c\",}", "a{=\"c\"}", "a{b=\"c\"d=\"e\"}", "a{b=\"\\x\"}", "a{b=\"c\nd\"}",
        "a{b:c=\"d\"}", "a{b=\"c\\\"}"})
    EXPECT_FALSE(metrics.named_counter(name, "Help.", 1)) << name;
  EXPECT_EQ(metrics.text(), "");
}

TEST(NodeMetricsTest, ShowsWhatTheNodeKnows) {
  NodeStatus status;
  status.name = "node1";
  status.condition = NodeCondition::up;
  status.members = {{"node1", MemberState::alive},
                    {"node2", MemberState::suspect},
                    {"node3", MemberState::alive}};
  status.counters = {{"ringwright_read_repairs_total", 4}, {"not a name", 1}};
  status.engines = {{"carts", "faulty(memory)", Durability::os, {10, 20, 30, {}}, 0.25}};
  const std::string text = metrics_text(status, ServiceState::draining, {});
  for (
      const std::string_view line :
      {"ringwright_ring_nodes{state=\"alive\"} 2\n", "ringwright_ring_nodes{state=\"suspect\"} 1\n",
       "ringwright_ring_nodes{state=\"dead\"} 0\n", "ringwright_read_repairs_total 4\n",
       "# TYPE ringwright_read_repairs_total counter\n", "ringwright_malformed_counters 1\n",
       "ringwright_engine_disk_bytes{keyspace=\"carts\"} 20\n",
       "ringwright_engine_pressure{keyspace=\"carts\"} 0.25\n",
       "ringwright_engine_info{keyspace=\"carts\",engine=\"faulty(memory)\",durability=\"os\"} 1\n",
       "ringwright_up 1\n", "ringwright_node_ready 0\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  const Exposition page(text);
  EXPECT_EQ(page.value("ringwright_engine_damaged_ranges{keyspace=\"carts\"}"), 0);
  EXPECT_FALSE(page.has("ringwright_engine_calls_total{keyspace=\"carts\",op=\"write\"}"));
}

TEST(NodeMetricsTest, ShowsWhatAnEngineWasAskedAndAnswered) {
  EngineStatus engine{"carts", "memory", Durability::disk, {}, 0, {}};
  engine.stats.damaged = {{"a", "b"}, {"c", ""}};
  EngineCounts& counts = engine.counts;
  EngineCounts::Call& writes = counts.of(EngineCall::write);
  writes.add_duration(3'000);
  writes.add_duration(2'000'000'000);
  writes.add_duration(std::nullopt);
  writes.would_block = 4;
  writes.errors[static_cast<std::size_t>(Code::no_space)] = 1;
  counts.batch_writes.add(3);
  counts.fsyncs.add(7'000'000);
  counts.bytes_read = 5;
  counts.bytes_written = 6;
  counts.stalled_ns = 2'000'000'000;
  NodeStatus status;
  status.engines = {engine};
  const Exposition page(metrics_text(status, ServiceState::serving, {}));
  const auto shown = [&](const std::string& name, const std::string& labels = "") {
    return page.value("ringwright_engine_" + name + "{keyspace=\"carts\"" + labels + "}");
  };
  const std::string op = ",op=\"write\"";
  EXPECT_EQ(shown("calls_total", op), 7);
  EXPECT_EQ(shown("would_block_total", op), 4);
  EXPECT_EQ(shown("call_errors_total", op + ",code=\"no_space\""), 1);
  EXPECT_EQ(shown("call_duration_seconds_count", op), 2);
  EXPECT_EQ(shown("call_duration_seconds_bucket", op + ",le=\"2e-06\""), 0);
  EXPECT_EQ(shown("call_duration_seconds_bucket", op + ",le=\"5e-06\""), 1);
  EXPECT_EQ(shown("call_duration_seconds_bucket", op + ",le=\"2\""), 2);
  EXPECT_EQ(shown("call_duration_seconds_sum", op), 2.000003);
  EXPECT_EQ(shown("fsync_duration_seconds_bucket", ",le=\"0.01\""), 1);
  EXPECT_EQ(shown("write_batch_operations_bucket", ",le=\"2\""), 0);
  EXPECT_EQ(shown("write_batch_operations_sum"), 3);
  EXPECT_EQ(shown("bytes_read_total"), 5);
  EXPECT_EQ(shown("bytes_written_total"), 6);
  EXPECT_EQ(shown("stall_seconds_total"), 2);
  EXPECT_EQ(shown("damaged_ranges"), 2);
  EXPECT_FALSE(page.has("ringwright_engine_calls_total{keyspace=\"carts\",op=\"flush\"}"));
  EXPECT_EQ(page.kind("ringwright_engine_call_duration_seconds"), "histogram");
  // What Python shows are the same samples.
  const auto samples = node_metrics(status);
  EXPECT_EQ(samples.at("ringwright_engine_calls_total{keyspace=\"carts\",op=\"write\"}"), 7);
}

TEST(NodeMetricsTest, ShowsHowRequestsWereAnsweredAndWhatGetsFound) {
  RequestCounts counts;
  AnsweredRequest request;
  request.code = Code::ok;
  request.siblings = 3;
  request.object_bytes = 300;
  counts.add(request, 3'000'000);
  request = {};
  request.kind = RequestKind::put;
  request.code = Code::timed_out;
  counts.add(request, 1'500'000'000);
  RequestCounts nameless;
  request.code = Code::invalid;
  nameless.add(request, 1'000);
  NodeStatus status;
  status.requests = {{"carts", counts}, {"users", counts}, {"", nameless}};
  ReplicaCounts replica;
  replica.durations[static_cast<std::size_t>(ReplicaRequest::read)].add(40'000, 8);
  status.replicas = {{"node2", replica}, {"node3", {}}};
  const Exposition page(metrics_text(status, ServiceState::serving, {}));
  const auto duration = [&](const std::string& part, const std::string& labels) {
    return page.value("ringwright_request_duration_seconds_" + part + "{" + labels + "}");
  };
  const std::string get = "op=\"get\",keyspace=\"carts\",outcome=\"ok\"";
  const std::string put = "op=\"put\",keyspace=\"carts\",outcome=\"timed_out\"";
  EXPECT_EQ(duration("bucket", get + ",le=\"0.002\""), 0);
  EXPECT_EQ(duration("bucket", get + ",le=\"0.005\""), 1);
  EXPECT_EQ(duration("sum", get), 0.003);
  EXPECT_EQ(duration("bucket", put + ",le=\"1\""), 0);
  EXPECT_EQ(duration("count", put), 1);
  EXPECT_EQ(duration("count", "op=\"put\",keyspace=\"\",outcome=\"invalid\""), 1);
  EXPECT_EQ(page.kind("ringwright_request_duration_seconds"), "histogram");
  EXPECT_FALSE(
      page.has("ringwright_request_duration_seconds_count{op=\"put\",keyspace=\"carts\","
               "outcome=\"ok\"}"));
  EXPECT_EQ(page.value("ringwright_request_errors_total{op=\"put\",code=\"timed_out\"}"), 2);
  EXPECT_EQ(page.value("ringwright_request_errors_total{op=\"put\",code=\"invalid\"}"), 1);
  EXPECT_FALSE(page.has("ringwright_request_errors_total{op=\"get\",code=\"ok\"}"));
  EXPECT_EQ(page.value("ringwright_siblings_bucket{keyspace=\"carts\",le=\"2\"}"), 0);
  EXPECT_EQ(page.value("ringwright_siblings_bucket{keyspace=\"carts\",le=\"4\"}"), 1);
  EXPECT_EQ(page.value("ringwright_object_bytes_sum{keyspace=\"users\"}"), 300);
  EXPECT_FALSE(page.has("ringwright_siblings_count{keyspace=\"\"}"));
  const auto replica_count = [](const std::string& op, const std::string& peer) {
    return "ringwright_replica_duration_seconds_count{op=\"" + op + "\",peer=\"" + peer + "\"}";
  };
  EXPECT_EQ(page.value(replica_count("read", "node2")), 8);
  EXPECT_FALSE(page.has(replica_count("write", "node2")));
  EXPECT_FALSE(page.has(replica_count("read", "node3")));
}

TEST(NodeJsonTest, ShowsDamageByCountAndByKeysThatCanBeReadBack) {
  NodeStatus status;
  status.engines = {{"carts", "memory", Durability::os, {}, 0, {}}};
  status.engines[0].stats.damaged = {{Bytes("\x01\0c\\", 4), "\xff"}, {"z", ""}};
  EXPECT_NE(status_json(status).find(
                R"("damaged_ranges":2,"damaged":[{"start":"\\x01\\x00c\\\\","stop":"\\xff"},)"
                R"({"start":"z","stop":""}])"),
            std::string::npos)
      << status_json(status);
}

}  // namespace
}  // namespace ringwright
