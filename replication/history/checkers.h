#pragma once

#include <map>
#include <string>
#include <vector>

#include "replication/history/history.h"
#include "replication/version/record.h"

namespace ringwright {

// What must hold of a run, each a pure function over what clients saw and what replicas kept in the
// end. Checkers know nothing of the workload; each must be able to fail, and its tests show it.

struct Violation {
  std::string property;  // "G1"
  std::string sentence;  // the evidence: which operations, which key
};
using Violations = std::vector<Violation>;
std::string to_string(const Violation& violation);

// What a read of one key through all its replicas shows when the faults are over.
struct FinalState {
  std::vector<ShownSibling> siblings;
  Context context;
};
using FinalStates = std::map<Bytes, FinalState>;

// A key without a final state was never read: that is a violation of its own, for each checker that
// needs it would be blind.
Violations check_finals_present(const History& history, const FinalStates& finals);

// G1, kind `siblings`: each event that was acknowledged is covered by the final vector, and its
// value is among the final siblings unless a write that did not fail came with a context that
// covers it.
Violations check_no_write_lost(const History& history, const FinalStates& finals);

// G1, the clients' side: the context that a write gives back covers no acknowledged event that its
// client has not seen, for the next write with it would discard that unseen. Events that a write
// with a context had replaced by then do not count.
Violations check_contexts_honest(const History& history);

// G4, kind `siblings`: what an acknowledged write replaced or removed is not among the final
// siblings.
Violations check_no_resurrection(const History& history, const FinalStates& finals);

// G1 and G7, kind `lww`: the final stamp and actor are not below any that was acknowledged, and
// equal ones show that write's value.
Violations check_last_write_wins(const History& history, const FinalStates& finals);

// G10: no read shows a write whose client was told that it failed, and no other reply to it was ok.
Violations check_failed_invisible(const History& history, const FinalStates& finals);

// G11: every value read was written for that key.
Violations check_integrity(const History& history, const FinalStates& finals);

// G2: wherever a record is seen (in a message, in a row), its siblings go in here. One dot must
// name one write of one key for ever; for `lww` one dot and stamp.
class DotWitness {
 public:
  // `where` is for the sentence: "row of node2".
  void see(ByteView key, const Record& record, std::string_view where);
  const Violations& violations() const { return violations_; }
  std::size_t dots() const { return seen_.size(); }

 private:
  struct Name {
    Dot dot;
    Timestamp stamp;  // of kind `lww`; else 0
    friend auto operator<=>(const Name&, const Name&) = default;
  };
  struct Write {
    std::uint64_t hash;
    std::string where;
  };
  std::map<Name, Write> seen_;
  Violations violations_;
};

// G9: the copies of one key on its owners, after repair, are equal.
struct ReplicaCopy {
  Bytes key;
  std::string node;
  Record record;
};
Violations check_convergence(const std::vector<ReplicaCopy>& copies);

}  // namespace ringwright
