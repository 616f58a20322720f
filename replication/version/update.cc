#include "replication/version/update.h"

#include <algorithm>

#include "replication/version/merge.h"

namespace ringwright {
namespace {

std::vector<Sibling>::const_iterator first_from(const std::vector<Sibling>& siblings,
                                                const Dot& dot) {
  return std::lower_bound(siblings.begin(), siblings.end(), dot,
                          [](const Sibling& a, const Dot& b) { return a.dot < b; });
}

}  // namespace

bool DotIssuer::may_go_on(const std::optional<Actor>& mark, const VersionVector& own,
                          const VersionVector& seen_by_client) const {
  if (!mark || mark->node != node_ || mark->start != start_) return false;
  if (mark->birth <= safe_since_) return false;
  return seen_by_client.highest_of(*mark) <= own.counter_of(*mark);
}

Status DotIssuer::check(const VersionVector& seen_by_client) const {
  const auto never_issued = [this](const Actor& actor, std::uint64_t counter) {
    return actor.node == node_ && actor.start == start_ &&
           std::max(counter, actor.birth) > sequence_;
  };
  bool unknown = false;
  for (const auto& entry : seen_by_client.entries())
    unknown = unknown || never_issued(entry.actor, entry.counter);
  for (const auto& each : seen_by_client.detached())
    unknown = unknown || never_issued(each.dot.actor, each.dot.counter);
  if (unknown)
    return {Code::invalid, "the context names writes that this node never made: read again"};
  return {};
}

Record apply_update(Record own, const Context& context, Sibling written) {
  if (written.tombstone) {
    written.value.clear();
    written.expires_us = 0;
  }
  if (own.kind == RecordKind::lww) {
    Record update;
    update.kind = RecordKind::lww;
    update.siblings.push_back(std::move(written));
    return merge_records(std::move(own), std::move(update));
  }
  std::vector<Dot> unseen;
  for (const auto& each : context.vector.detached())
    if (!own.vector.covers(each.dot)) unseen.push_back(each.dot);
  std::erase_if(own.siblings, [&](const Sibling& sibling) {
    if (!context.vector.covers(sibling.dot)) return false;
    own.vector.touch(sibling.dot.actor, written.stamp);
    return true;
  });
  own.vector.merge(context.vector, written.stamp);
  for (const Dot& dot : unseen) own.vector.touch(dot, written.stamp);
  own.vector.raise(written.dot, written.stamp);
  own.siblings.insert(first_from(own.siblings, written.dot), std::move(written));
  return own;
}

}  // namespace ringwright
