#pragma once

#include <bitset>
#include <optional>
#include <vector>

#include "engine/base/limits.h"
#include "replication/coordinator/answer.h"
#include "replication/coordinator/quorum.h"
#include "replication/ring/preference_list.h"

namespace ringwright {

// One put or delete at its coordinator, which keeps a copy of the key.
//
//              own apply refused
//   applying ------------------------------------> answered: failed, nothing was sent
//      |  |    own apply in doubt
//      |  +--------------------------------------> answered: unknown, nothing was sent
//      | own apply visible: the whole record goes to the other replicas
//      v
//   waiting ----- w durable acknowledgements -----> answered: ok
//      |
//      +--------- w out of reach, or deadline ----> answered: unknown
//
// Invariants
// 1. Nothing is sent before the own copy shows the record to its next read.
// 2. The own copy counts as an acknowledgement only when it is durable in the keyspace's class.
// 3. After the own apply was handed to the engine the answer is ok or unknown, never failed.
// 4. Each replica counts once, whatever is repeated.
class PutOperation {
 public:
  enum class State : std::uint8_t { applying, waiting, answered };

  // `replicas` holds the coordinator `own` itself.
  PutOperation(std::vector<PreferenceEntry> replicas, std::uint32_t own, std::uint32_t w);

  State state() const { return state_; }
  const std::vector<PreferenceEntry>& replicas() const { return replicas_; }

  // The record is visible in the own copy: now send it to every other replica.
  void own_applied();
  // Certainly nothing happened.
  void own_refused(Status status);
  void own_in_doubt(Status status);
  // An acknowledgement, the own one included, or the news that there will be none.
  void acknowledged(std::uint32_t member, const Status& status);
  // `handed_over`: the engine already has the own write, so it can no longer be called off.
  void deadline_passed(bool handed_over);

  // The answer, once.
  std::optional<Answer> take_answer();

 private:
  void answer(Outcome outcome, Status status);
  void judge();

  State state_ = State::applying;
  std::vector<PreferenceEntry> replicas_;
  std::bitset<limits::replicas_max> heard_;  // by position in replicas_
  QuorumCount count_;
  std::optional<Answer> answer_;
  std::string last_refusal_;
};

}  // namespace ringwright
