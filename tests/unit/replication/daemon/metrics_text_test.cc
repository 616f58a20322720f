#include "replication/daemon/metrics_text.h"

#include <gtest/gtest.h>

#include <limits>

#include "replication/daemon/node_metrics.h"

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
}

}  // namespace
}  // namespace ringwright
