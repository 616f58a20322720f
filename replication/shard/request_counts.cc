#include "replication/shard/request_counts.h"

#include <algorithm>

namespace ringwright {

std::string_view request_kind_name(RequestKind kind) {
  switch (kind) {
    case RequestKind::get:
      return "get";
    case RequestKind::put:
      return "put";
    case RequestKind::remove:
      return "remove";
  }
  return "unknown_request";
}

void RequestCounts::add(const AnsweredRequest& request, Instant answered) {
  const Nanoseconds took = std::max<Nanoseconds>(answered - request.arrived, 0);
  durations_[index(request.kind)][index(request.code)].add(static_cast<std::uint64_t>(took));
  if (request.siblings == 0) return;
  siblings_.add(request.siblings);
  object_bytes_.add(request.object_bytes);
}

void RequestCounts::add(const RequestCounts& other) {
  for (std::size_t kind = 0; kind < request_kinds; ++kind)
    for (std::size_t code = 0; code < codes; ++code)
      durations_[kind][code].add(other.durations_[kind][code]);
  siblings_.add(other.siblings_);
  object_bytes_.add(other.object_bytes_);
}

}  // namespace ringwright
