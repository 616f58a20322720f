#pragma once

#include <optional>
#include <vector>

#include "replication/coordinator/answer.h"
#include "replication/coordinator/quorum.h"
#include "replication/ring/preference_list.h"
#include "replication/version/record.h"

namespace ringwright {

// One quorum read at its coordinator, which need not keep a copy.
//
//   waiting ---- r good answers ----> answered: ok, the merge of them
//      |                                  |
//      | too many bad ones, deadline      | every replica asked has answered, or deadline
//      v                                  v
//   answered: failed                   finished: stale primaries are repaired
//
// Invariants
// 1. An answer that reports an error or damage counts as bad, never as "absent".
// 2. What is repaired with is the merge of every good answer, late ones included.
// 3. Only primaries are repaired; damaged bytes are replaced only when every other primary of the
//    key, of which there must be one, gave a good answer.
// 4. Each replica counts once, whatever is repeated.
class GetOperation {
 public:
  enum class State : std::uint8_t { waiting, answered, finished };

  // Asks the first `ask` of the candidates (at least r of them), the others one by one when some
  // fail. `primaries`: how many primaries the key has in all.
  GetOperation(std::vector<PreferenceEntry> candidates, std::uint32_t primaries, std::uint32_t r,
               std::uint32_t ask, RecordKind kind);

  State state() const { return state_; }
  // Members to send a read to now; each is named once.
  std::vector<std::uint32_t> take_asks();

  // `record` is canonical bytes whose checksum was verified; empty: absent.
  void answered(std::uint32_t member, Bytes record, ByteView key);
  void failed(std::uint32_t member, const Status& status);
  void deadline_passed();

  std::optional<Answer> take_answer();
  // The merge of the good answers until now, and its canonical bytes; empty when all were absent.
  const Record& merged() const { return merged_; }
  Bytes canonical(ByteView key) const;

  struct Repair {
    std::uint32_t member = 0;
    bool heal = false;  // replaces bytes that could not be decoded
  };
  // When finished: who lacks some of `canonical`, the merge of all.
  std::vector<Repair> repairs(ByteView canonical) const;

 private:
  struct Replica {
    PreferenceEntry entry;
    enum class Heard : std::uint8_t { not_asked, asked, good, corrupt, bad } heard;
    Bytes record;
  };

  Replica* waiting_for(std::uint32_t member);
  const Replica* first_with_record() const;
  void judge();

  State state_ = State::waiting;
  std::vector<Replica> replicas_;
  std::vector<std::uint32_t> asks_;
  std::uint32_t primaries_;
  QuorumCount count_;
  Record merged_;
  bool records_differ_ = false;  // among the good answers that have one
  std::optional<Answer> answer_;
  Status last_error_;
};

}  // namespace ringwright
