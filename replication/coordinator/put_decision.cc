#include "replication/coordinator/put_decision.h"

#include <algorithm>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/seeded_bug.h"
#include "replication/version/merge.h"

namespace ringwright {
namespace {

// Takes the value out of the intent.
Sibling sibling_of(PutIntent& intent, Timestamp stamp) {
  Sibling sibling;
  sibling.stamp = stamp;
  sibling.tombstone = intent.tombstone;
  sibling.request = intent.request;
  if (intent.tombstone) return sibling;
  sibling.value = std::move(intent.value);
  const std::uint64_t now_us = wall_us_of(stamp);
  const bool for_ever = intent.ttl_us == 0 || intent.ttl_us > UINT64_MAX - now_us;
  if (!for_ever) sibling.expires_us = now_us + intent.ttl_us;
  return sibling;
}

// The sibling that an earlier attempt of the same request left.
Result<const Sibling*> earlier_attempt(const Record& own, const PutIntent& intent) {
  if (intent.request.empty()) return nullptr;
  for (const Sibling& sibling : own.siblings) {
    if (sibling.request != intent.request) continue;
    if (sibling.tombstone != intent.tombstone || sibling.value != intent.value)
      return Status{Code::invalid, "this request id was used for another put: draw a new one"};
    return &sibling;
  }
  return nullptr;
}

Context seen_after(Context context, const Record& record, const Dot& dot) {
  const Sibling* written = record.find(dot);
  RW_CHECK(written != nullptr);
  const bool unseen_below =
      std::any_of(record.siblings.begin(), record.siblings.end(), [&](const Sibling& sibling) {
        return sibling.dot.actor == dot.actor && sibling.dot.counter < dot.counter &&
               !context.vector.covers(sibling.dot);
      });
  if (unseen_below) {
    // The client's earlier dots that this put has replaced: else a client that never reads would
    // carry one more with every put.
    context.vector.drop_detached_if(
        [&](const Dot& each) { return each.actor == dot.actor && record.find(each) == nullptr; });
    context.vector.add_detached(dot, written->stamp);
  } else {
    context.vector.raise(dot, written->stamp);
  }
  context.stamp = std::max(context.stamp, written->stamp);
  return context;
}

// The put replaces each sibling, and none of them is what an earlier attempt of it left.
bool discards_all(const SiblingsView& own, const PutIntent& intent) {
  return std::all_of(own.siblings().begin(), own.siblings().end(), [&](const SiblingView& each) {
    const bool is_earlier = !intent.request.empty() && each.request == intent.request;
    return !is_earlier && intent.context.vector.covers(each.dot);
  });
}

// The last actor of the issuer's present start that the vector names.
std::optional<Actor> own_actor_in(const VersionVector& vector, const DotIssuer& issuer) {
  std::optional<Actor> found;
  for (const auto& entry : vector.entries())
    if (entry.actor.node == issuer.node() && entry.actor.start == issuer.start())
      found = entry.actor;
  return found;
}

// A delete makes a record smaller in the end, so only the vector bounds it.
Status check_bounds(const Record& record, std::size_t bytes, const PutLimits& bounds,
                    bool tombstone) {
  if (record.vector.size() > limits::vector_entries_max)
    return {Code::invalid, "the key's version vector would have " +
                               std::to_string(record.vector.size()) +
                               " entries: write it through fewer nodes, with contexts just read"};
  if (tombstone) return {};
  const auto live = static_cast<std::size_t>(
      std::count_if(record.siblings.begin(), record.siblings.end(),
                    [](const Sibling& sibling) { return !sibling.tombstone; }));
  if (live > bounds.siblings_max)
    return {Code::invalid, "the key would have " + std::to_string(live) +
                               " siblings: read it, resolve them, and put with that context"};
  if (bytes > bounds.record_bytes_max)
    return {Code::invalid, "the key's siblings would take " + std::to_string(bytes) +
                               " bytes, more than a record may: resolve them first"};
  return {};
}

// Takes context and value out of the intent, unless it refuses.
Result<PutDecision> decide(PutIntent& intent, const PutLimits& bounds, Timestamp stamp, Row row,
                           const Row& other, DotIssuer& issuer) {
  if (row.is_damaged() || other.is_damaged())
    return Status{Code::corrupt, "the coordinator's own record of key " + printable(intent.key) +
                                     " is damaged: ask another replica"};
  if (Status known = issuer.check(intent.context.vector); !known.is_ok()) return known;

  if (seeded_bug(SeededBug::mark_kept_from_peer) && !row.mark)
    row.mark = own_actor_in(row.record.vector, issuer);
  // Dots of the mark that only the other row or the client knows are dots that this row has lost.
  const bool go_on = issuer.may_go_on(row.mark, row.record.vector, intent.context.vector) &&
                     issuer.may_go_on(row.mark, row.record.vector, other.record.vector);
  Record own = other.record.empty() ? std::move(row.record)
               : row.record.empty() ? other.record
                                    : merge_records(std::move(row.record), other.record);

  PutDecision decision;
  Record record;
  const auto earlier = earlier_attempt(own, intent);
  if (!earlier) return earlier.error();
  if (*earlier != nullptr) {
    decision.dot = (*earlier)->dot;
    record = std::move(own);
    if (go_on) decision.row.mark = row.mark;
  } else {
    Sibling written = sibling_of(intent, stamp);
    const Actor actor = go_on ? *row.mark : issuer.new_birth();
    written.dot = issuer.issue(actor);
    decision.dot = written.dot;
    decision.row.mark = actor;
    record = apply_update(std::move(own), intent.context, std::move(written));
  }
  decision.canonical = encode_record(record, intent.key);
  if (*earlier == nullptr)
    RW_TRY(check_bounds(record, decision.canonical.size(), bounds, intent.tombstone));
  decision.context = seen_after(std::move(intent.context), record, decision.dot);
  decision.row.record = std::move(record);
  return decision;
}

}  // namespace

Result<PutDecision> decide_put(PutIntent intent, const PutLimits& bounds, Timestamp stamp, Row row,
                               const Row& other, DotIssuer& issuer) {
  return decide(intent, bounds, stamp, std::move(row), other, issuer);
}

Result<PutDecision> decide_put(PutIntent intent, const PutLimits& bounds, Timestamp stamp,
                               ByteView row, DotIssuer& issuer) {
  RowView view;
  if (!view.read(row, intent.key) || !discards_all(view.record, intent))
    return decide(intent, bounds, stamp, decode_row(row, intent.key, RecordKind::siblings), {},
                  issuer);
  Row bare;
  bare.mark = view.mark;
  bare.record.vector = view.record.vector();
  // As apply_update does with each sibling that it discards.
  for (const SiblingView& sibling : view.record.siblings())
    bare.record.vector.touch(sibling.dot.actor, stamp);
  return decide(intent, bounds, stamp, std::move(bare), {}, issuer);
}

Record lww_record(PutIntent intent, Timestamp stamp, DotIssuer& issuer) {
  Record record;
  record.kind = RecordKind::lww;
  Sibling written = sibling_of(intent, stamp);
  // The dot only names the write: an actor without a birth, so that no mark depends on it.
  written.dot = issuer.issue({issuer.node(), issuer.start(), 0});
  record.siblings.push_back(std::move(written));
  return record;
}

}  // namespace ringwright
