#include "replication/history/checkers.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "engine/base/hash.h"

namespace ringwright {
namespace {

std::string name_of(const HistoryOperation& operation) {
  return std::string(operation_kind_name(operation.kind)) + " " + std::to_string(operation.id) +
         " of key " + printable(operation.key) + " (client " + std::to_string(operation.client) +
         ", through " + operation.coordinator + ")";
}

const FinalState* final_of(const FinalStates& finals, const Bytes& key) {
  const auto at = finals.find(key);
  return at == finals.end() ? nullptr : &at->second;
}

bool shows(const std::vector<ShownSibling>& siblings, const Dot& dot) {
  return std::any_of(siblings.begin(), siblings.end(),
                     [&](const ShownSibling& sibling) { return sibling.dot == dot; });
}

bool shows_value(const std::vector<ShownSibling>& siblings, const Bytes& value) {
  return std::any_of(siblings.begin(), siblings.end(),
                     [&](const ShownSibling& sibling) { return sibling.value == value; });
}

// Calls `visit(who, key, sibling)` for each value that any read ever showed.
template <typename Visit>
void for_each_shown(const History& history, const FinalStates& finals, const Visit& visit) {
  for (const HistoryOperation& operation : history)
    for (const ShownSibling& sibling : operation.read)
      visit(name_of(operation), operation.key, sibling);
  for (const auto& [key, state] : finals)
    for (const ShownSibling& sibling : state.siblings)
      visit("the final read of key " + printable(key), key, sibling);
}

// The writes of each key that came with a context and were not answered `failed`.
std::map<Bytes, std::vector<const HistoryOperation*>> covering_writes(const History& history) {
  std::map<Bytes, std::vector<const HistoryOperation*>> covering;
  for (const HistoryOperation& operation : history)
    if (operation.is_write() && operation.outcome != Outcome::failed && operation.context_in)
      covering[operation.key].push_back(&operation);
  return covering;
}

}  // namespace

std::string to_string(const Violation& violation) {
  return violation.property + ": " + violation.sentence;
}

Violations check_finals_present(const History& history, const FinalStates& finals) {
  Violations found;
  std::set<Bytes> told;
  for (const HistoryOperation& operation : history)
    if (final_of(finals, operation.key) == nullptr && told.insert(operation.key).second)
      found.push_back({"final", "key " + printable(operation.key) + " was never read in the end"});
  return found;
}

Violations check_no_write_lost(const History& history, const FinalStates& finals) {
  Violations found;
  const auto covering = covering_writes(history);
  for (const HistoryOperation& operation : history) {
    const FinalState* state = final_of(finals, operation.key);
    if (!operation.is_write() || state == nullptr) continue;
    for (const auto& event : operation.events) {
      if (!state->context.vector.covers(event.dot)) {
        found.push_back({"G1", "the acknowledged " + name_of(operation) + " is lost: its dot " +
                                   to_string(event.dot) + " is not covered in the end"});
        continue;
      }
      if (operation.kind == OperationKind::remove || shows(state->siblings, event.dot)) continue;
      // One request may have left several siblings; they are shown once.
      if (shows_value(state->siblings, operation.value)) continue;
      const auto writes = covering.find(operation.key);
      const bool superseded = writes != covering.end() &&
                              std::any_of(writes->second.begin(), writes->second.end(),
                                          [&](const HistoryOperation* other) {
                                            return other->context_in->vector.covers(event.dot);
                                          });
      if (!superseded)
        found.push_back({"G1", "the acknowledged " + name_of(operation) +
                                   " is lost: no write with a context that covers its dot " +
                                   to_string(event.dot) + " replaced it"});
    }
  }
  return found;
}

Violations check_contexts_honest(const History& history) {
  Violations found;
  const auto covering = covering_writes(history);
  std::map<Bytes, std::vector<std::pair<Dot, const HistoryOperation*>>> events;
  for (const HistoryOperation& operation : history)
    for (const auto& event : operation.events)
      events[operation.key].emplace_back(event.dot, &operation);
  for (const HistoryOperation& operation : history) {
    if (!operation.is_write() || !operation.context_out) continue;
    for (const auto& [dot, other] : events[operation.key]) {
      if (other->client == operation.client) continue;
      if (!operation.context_out->vector.covers(dot)) continue;
      if (operation.context_in && operation.context_in->vector.covers(dot)) continue;
      const auto writes = covering.find(operation.key);
      const bool gone_before =
          writes != covering.end() && std::any_of(writes->second.begin(), writes->second.end(),
                                                  [&, event = dot](const HistoryOperation* write) {
                                                    return write != &operation &&
                                                           write->invoke_t <= operation.return_t &&
                                                           write->context_in->vector.covers(event);
                                                  });
      if (gone_before) continue;
      found.push_back({"G1-context", "the context that " + name_of(operation) +
                                         " gave back covers " + name_of(*other) +
                                         ", which its client has not seen"});
      return found;  // one such context makes many more
    }
  }
  return found;
}

Violations check_no_resurrection(const History& history, const FinalStates& finals) {
  Violations found;
  for (const HistoryOperation& operation : history) {
    const FinalState* state = final_of(finals, operation.key);
    if (operation.events.empty() || !operation.context_in || state == nullptr) continue;
    for (const ShownSibling& sibling : state->siblings)
      if (operation.context_in->vector.covers(sibling.dot))
        found.push_back({"G4", "value " + printable(sibling.value) + " is back: the acknowledged " +
                                   name_of(operation) + " had replaced it"});
  }
  return found;
}

Violations check_last_write_wins(const History& history, const FinalStates& finals) {
  Violations found;
  for (const HistoryOperation& operation : history) {
    const FinalState* state = final_of(finals, operation.key);
    if (!operation.is_write() || state == nullptr) continue;
    for (const auto& event : operation.events) {
      const ShownSibling* last = state->siblings.empty() ? nullptr : &state->siblings.front();
      // A removal shows nothing but its stamp, in the context.
      const Timestamp stamp = last == nullptr ? state->context.stamp : last->stamp;
      const bool beaten =
          last != nullptr && stamp == event.stamp && last->dot.actor < event.dot.actor;
      if (stamp < event.stamp || beaten)
        found.push_back({"G7", "the acknowledged " + name_of(operation) + " with stamp " +
                                   std::to_string(event.stamp) +
                                   " is lost: the final one has stamp " + std::to_string(stamp)});
      else if (last != nullptr && stamp == event.stamp && last->dot == event.dot &&
               (operation.kind == OperationKind::remove || last->value != operation.value))
        found.push_back({"G7", "the final value has the stamp of " + name_of(operation) +
                                   " and is not what that wrote"});
    }
  }
  return found;
}

Violations check_failed_invisible(const History& history, const FinalStates& finals) {
  Violations found;
  std::map<Bytes, const HistoryOperation*> failed;  // by value
  for (const HistoryOperation& operation : history) {
    if (operation.outcome != Outcome::failed || !operation.is_write()) continue;
    if (operation.kind == OperationKind::put) failed.emplace(operation.value, &operation);
    if (!operation.events.empty())
      found.push_back({"G10", name_of(operation) + " was answered failed and ok"});
  }
  if (failed.empty()) return found;
  for_each_shown(history, finals,
                 [&](const std::string& reader, const Bytes& key, const ShownSibling& sibling) {
                   const auto at = failed.find(sibling.value);
                   if (at == failed.end() || at->second->key != key) return;
                   found.push_back({"G10", reader + " shows the value of " + name_of(*at->second) +
                                               ", which was answered failed"});
                 });
  return found;
}

Violations check_integrity(const History& history, const FinalStates& finals) {
  Violations found;
  std::set<std::pair<ByteView, ByteView>> written;
  for (const HistoryOperation& operation : history)
    if (operation.kind == OperationKind::put) written.insert({operation.key, operation.value});
  for_each_shown(history, finals,
                 [&](const std::string& reader, const Bytes& key, const ShownSibling& sibling) {
                   if (written.contains({key, sibling.value})) return;
                   found.push_back({"G11", reader + " shows " + printable(sibling.value) +
                                               ", which nobody wrote for key " + printable(key)});
                 });
  return found;
}

void DotWitness::see(ByteView key, const Record& record, std::string_view where) {
  for (const Sibling& sibling : record.siblings) {
    std::uint64_t hash = hash64(sibling.value, hash64(key));
    for (const std::uint64_t part :
         {std::uint64_t{sibling.tombstone}, sibling.stamp, sibling.expires_us,
          sibling.request.client_high, sibling.request.client_low, sibling.request.sequence})
      hash = (hash ^ part) * 0x9e3779b97f4a7c15 + 1;
    const Timestamp stamp = record.kind == RecordKind::lww ? sibling.stamp : 0;
    const auto [at, is_new] = seen_.try_emplace(Name{sibling.dot, stamp}, Write{hash, {}});
    if (is_new) {
      at->second.where = where;
    } else if (at->second.hash != hash) {
      violations_.push_back({"G2", "dot " + to_string(sibling.dot) + " of key " + printable(key) +
                                       " names two writes: one seen in " + at->second.where +
                                       ", another in " + std::string(where)});
      at->second.hash = hash;  // each further change is told once
    }
  }
}

Violations check_convergence(const std::vector<ReplicaCopy>& copies) {
  Violations found;
  std::map<Bytes, const ReplicaCopy*> first;
  for (const ReplicaCopy& copy : copies) {
    const auto [at, is_first] = first.try_emplace(copy.key, &copy);
    if (!is_first && !(at->second->record == copy.record))
      found.push_back({"G9", "the copies of key " + printable(copy.key) + " on " +
                                 at->second->node + " and " + copy.node + " differ in the end"});
  }
  return found;
}

}  // namespace ringwright
