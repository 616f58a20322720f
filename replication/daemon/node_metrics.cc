#include "replication/daemon/node_metrics.h"

#include <array>

#include "engine/base/library_version.h"
#include "replication/daemon/engine_metrics.h"
#include "replication/daemon/metrics_text.h"
#include "replication/daemon/request_metrics.h"

namespace ringwright {
namespace {

struct Help {
  std::string_view name;
  std::string_view text;
};
constexpr std::array helps = {
    Help{"ringwright_client_bytes_in_flight", "Bytes of clients' requests and unread answers."},
    Help{"ringwright_client_connections", "Connections of clients that are open."},
    Help{"ringwright_client_connections_accepted_total", "Connections of clients that were made."},
    Help{"ringwright_client_connections_ended_total",
         "Connections of clients that ended, and why."},
    Help{"ringwright_clock_ahead_refused_total",
         "Stamps refused because they were too far ahead of the wall clock."},
    Help{"ringwright_corrupt_records_total", "Records that failed their checksum."},
    Help{"ringwright_engine_calls_executor_total", "Engine calls made by the executor's threads."},
    Help{"ringwright_engine_calls_inline_total", "Engine calls made without leaving the shard."},
    Help{"ringwright_fallback_rows_delivered_total",
         "Rows that a stand-in handed to the primaries of their key."},
    Help{"ringwright_loop_messages_sent_total", "Messages handed to the transport."},
    Help{"ringwright_loop_waits_polled_total", "Waits that ended while the loop still looked."},
    Help{"ringwright_loop_waits_slept_total", "Waits for which the loop slept."},
    Help{"ringwright_loop_wake_ups_total", "Rounds of the shards' loops."},
    Help{"ringwright_malformed_requests_total", "Frames of clients that could not be read."},
    Help{"ringwright_peer_links_open", "Connections to other members that stand."},
    Help{"ringwright_peer_messages_dropped_total",
         "Messages to members that could not be reached."},
    Help{"ringwright_peer_messages_sent_total", "Messages handed to connections to other members."},
    Help{"ringwright_peers_refused_total",
         "Members that came with another cluster, ring or format."},
    Help{"ringwright_read_repairs_total", "Replicas that a get found stale and repaired."},
    Help{"ringwright_repeated_requests_total", "Requests that came again and were recognised."},
    Help{"ringwright_requests_total", "Calls of clients that were answered, and how."},
};

std::string_view help_of(std::string_view name) {
  name = name.substr(0, name.find('{'));
  for (const Help& help : helps)
    if (help.name == name) return help.text;
  return "Counted since the node started.";
}

void add_members(MetricsText& metrics, const NodeStatus& status) {
  for (const MemberState state :
       {MemberState::alive, MemberState::suspect, MemberState::dead, MemberState::left}) {
    double count = 0;
    for (const auto& [name, seen] : status.members)
      if (seen == state) ++count;
    metrics.gauge("ringwright_ring_nodes", "Members of the ring, as this node sees them.", count,
                  {{"state", std::string(member_state_name(state))}});
  }
}

void add_process(MetricsText& metrics, const ProcessFigures& figures) {
  metrics.gauge("process_resident_memory_bytes", "Resident memory.",
                static_cast<double>(figures.resident_bytes));
  metrics.gauge("process_virtual_memory_bytes", "Virtual memory.",
                static_cast<double>(figures.virtual_bytes));
  metrics.counter("process_cpu_seconds_total", "User and system CPU time.", figures.cpu_seconds);
  metrics.gauge("process_open_fds", "Open file descriptors.",
                static_cast<double>(figures.open_files));
  metrics.gauge("process_max_fds", "Most file descriptors that may be open.",
                static_cast<double>(figures.open_files_max));
  metrics.gauge("process_start_time_seconds", "Start of the process since 1970.",
                figures.started_seconds);
}

void add_node(MetricsText& metrics, const NodeStatus& status) {
  metrics.gauge("ringwright_node_info", "Which node this is; always 1.", 1,
                {{"node", status.name}, {"id", to_string(status.id)}});
  metrics.gauge("ringwright_up", "Whether the node runs and is not paused.",
                status.condition == NodeCondition::up ? 1 : 0);
  metrics.gauge("ringwright_node_shards", "Data-path threads.", status.shards);
  metrics.gauge("ringwright_node_may_hold_fallback_rows",
                "Whether the node may still hold copies for others.",
                status.may_hold_fallback_rows ? 1 : 0);
  add_members(metrics, status);
  add_request_metrics(metrics, status);
  for (const EngineStatus& engine : status.engines) add_engine_metrics(metrics, engine);
  double malformed = 0;
  for (const auto& [name, count] : status.counters)
    if (!metrics.named_counter(name, help_of(name), count)) ++malformed;
  metrics.gauge("ringwright_malformed_counters",
                "Counters left out here because their name is not in the metrics' format.",
                malformed);
}

}  // namespace

std::map<std::string, double> node_metrics(const NodeStatus& status) {
  MetricsText metrics;
  add_node(metrics, status);
  return metrics.samples();
}

std::string metrics_text(const NodeStatus& status, ServiceState state,
                         const ProcessFigures& figures) {
  MetricsText metrics;
  metrics.gauge("ringwright_build_info", "What was built; always 1.", 1,
                {{"version", std::string(library_version())}, {"compiler", __VERSION__}});
  metrics.gauge("ringwright_node_ready", "Whether the node serves and means to go on.",
                state == ServiceState::serving ? 1 : 0);
  add_node(metrics, status);
  add_process(metrics, figures);
  return metrics.text();
}

}  // namespace ringwright
