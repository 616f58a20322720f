#pragma once

#include "engine/base/limits.h"
#include "replication/version/row.h"
#include "replication/version/update.h"

namespace ringwright {

// What a client asked to write.
struct PutIntent {
  Bytes key;
  Bytes value;
  bool tombstone = false;
  Context context;
  RequestId request;
  std::uint64_t ttl_us = 0;
};

// Bounds on a client's put; a repair never meets them.
struct PutLimits {
  std::size_t siblings_max = 0;
  std::size_t record_bytes_max = 0;
};

// What a put makes of the coordinator's own copy.
struct PutDecision {
  Row row;          // to be stored instead of the row it started from
  Bytes canonical;  // its record, for the other replicas
  Dot dot;
  // For the client: its own context and this put, but none of the siblings beside it. An entry up
  // to the put's counter would cover those of the same actor, and the client's next put would
  // discard them unread; then the dot stands detached.
  Context context;
};

// Rules 1, 3 and 4 of causality for kind `siblings`: `row` is the one that this node writes (data
// for a primary, fallback for a stand-in), `other` its second row of the key. A request whose value
// is still among the siblings makes no second one. `corrupt`: a damaged own copy cannot coordinate.
// `invalid`: a bound, a context from nowhere, or a request id that was used for something else.
// After an error nothing is written; a dot that was drawn for it is not used again.
Result<PutDecision> decide_put(PutIntent intent, const PutLimits& bounds, Timestamp stamp, Row row,
                               const Row& other, DotIssuer& issuer);

// The same where the key has no other row and `row` has not been decoded. Most clients have seen
// all that it holds: then none of its values is copied, only to be discarded.
Result<PutDecision> decide_put(PutIntent intent, const PutLimits& bounds, Timestamp stamp,
                               ByteView row, DotIssuer& issuer);

// Kind `lww`: the greatest stamp wins, so no own record is needed.
Record lww_record(PutIntent intent, Timestamp stamp, DotIssuer& issuer);

}  // namespace ringwright
