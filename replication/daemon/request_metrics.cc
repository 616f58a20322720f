#include "replication/daemon/request_metrics.h"

#include <array>
#include <string>

namespace ringwright {
namespace {

constexpr double nanoseconds_per_second = 1e9;
constexpr std::array kinds = {RequestKind::get, RequestKind::put, RequestKind::remove};
constexpr std::array replica_kinds = {ReplicaRequest::read, ReplicaRequest::write,
                                      ReplicaRequest::handoff, ReplicaRequest::forward};
static_assert(kinds.size() == request_kinds && replica_kinds.size() == replica_requests);

void add_durations(MetricsText& metrics, const KeyspaceRequests& requests, RequestKind kind) {
  const std::string op(request_kind_name(kind));
  for (std::size_t i = 0; i < RequestCounts::codes; ++i) {
    const auto code = static_cast<Code>(i);
    const DurationHistogram& durations = requests.counts.durations(kind, code);
    if (durations.total() > 0)
      metrics.histogram(
          "ringwright_request_duration_seconds",
          "How long clients' requests took, from their arrival at the coordinator to "
          "its answer.",
          durations, nanoseconds_per_second,
          {{"op", op}, {"keyspace", requests.keyspace}, {"outcome", std::string(code_name(code))}});
  }
}

// Of all keyspaces.
void add_errors(MetricsText& metrics, const NodeStatus& status, RequestKind kind) {
  for (std::size_t i = 0; i < RequestCounts::codes; ++i) {
    const auto code = static_cast<Code>(i);
    std::uint64_t count = 0;
    for (const KeyspaceRequests& requests : status.requests)
      count += requests.counts.durations(kind, code).total();
    if (code != Code::ok && count > 0)
      metrics.counter(
          "ringwright_request_errors_total",
          "Clients' requests that their coordinator answered with an error.",
          static_cast<double>(count),
          {{"op", std::string(request_kind_name(kind))}, {"code", std::string(code_name(code))}});
  }
}

void add_objects(MetricsText& metrics, const KeyspaceRequests& requests) {
  if (requests.keyspace.empty()) return;
  metrics.histogram("ringwright_siblings",
                    "Concurrent values that gets found, before a resolver saw them.",
                    requests.counts.siblings(), 1, {{"keyspace", requests.keyspace}});
  metrics.histogram("ringwright_object_bytes",
                    "Bytes of all the values of a key, as gets found them.",
                    requests.counts.object_bytes(), 1, {{"keyspace", requests.keyspace}});
}

}  // namespace

void add_request_metrics(MetricsText& metrics, const NodeStatus& status) {
  for (const RequestKind kind : kinds) {
    for (const KeyspaceRequests& requests : status.requests) add_durations(metrics, requests, kind);
    add_errors(metrics, status, kind);
  }
  for (const KeyspaceRequests& requests : status.requests) add_objects(metrics, requests);
  for (const auto& [peer, counts] : status.replicas)
    for (const ReplicaRequest kind : replica_kinds)
      if (counts.of(kind).total() > 0)
        metrics.histogram("ringwright_replica_duration_seconds",
                          "How long other members took to answer this node; one request of about "
                          "eight is timed and stands for the others.",
                          counts.of(kind), nanoseconds_per_second,
                          {{"op", std::string(replica_request_name(kind))}, {"peer", peer}});
}

}  // namespace ringwright
