#pragma once

#include "replication/version/record.h"
#include "replication/version/record_view.h"

namespace ringwright {

// The join of two records of one key and kind: commutative, associative, idempotent, total; no
// clock, no resolver. Kind `siblings`: a sibling survives when both have it, or when only one has
// it and the other's vector does not cover its dot. Kind `lww`: the greater by (stamp, actor, a
// tombstone before a value, the larger bytes).
// The law holds for records in which no two writes share a dot; should two ever do, the larger
// bytes win, so that replicas still agree.
Record merge_records(Record left, Record right);
// Of two records of kind `lww`, by their siblings: whether the right one survives.
bool right_wins(const SiblingView& left, const SiblingView& right);

}  // namespace ringwright
