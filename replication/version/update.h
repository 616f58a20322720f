#pragma once

#include "replication/version/context.h"
#include "replication/version/record.h"

namespace ringwright {

// The issuer of one shard's dots. `start` is drawn at random at every start of the shard; births
// and counters come from one sequence in memory, so that no dot is ever issued twice.
class DotIssuer {
 public:
  DotIssuer(NodeId node, std::uint64_t start) : node_(node), start_(start) {}

  // Whether a put may go on under the row's mark (rule 4): the mark is there, of this start, born
  // after the last apply in doubt, and the client has seen no dot of it that this record lacks.
  bool may_go_on(const std::optional<Actor>& mark, const VersionVector& own,
                 const VersionVector& seen_by_client) const;
  Actor new_birth() { return {node_, start_, ++sequence_}; }
  Dot issue(const Actor& actor) { return {actor, ++sequence_}; }
  // After an own apply that may or may not have happened: no actor born until now is used again.
  void doubt() { safe_since_ = sequence_; }
  // `invalid` when the vector names this start beyond what was issued: no node ever said that.
  Status check(const VersionVector& seen_by_client) const;

  std::uint64_t start() const { return start_; }
  NodeId node() const { return node_; }

 private:
  NodeId node_;
  std::uint64_t start_;
  std::uint64_t sequence_ = 0;
  std::uint64_t safe_since_ = 0;
};

// The record after a put or delete: what the context covers is discarded, `written` (its dot
// already issued) joins what is concurrent with it. Of kind `lww` the greater of the two stays.
//
// The stamp of an entry that this write raises, or of which it takes a live dot, becomes the
// write's, and so does that of a detached dot that it adds: what it takes may be live elsewhere,
// and must not be forgotten here before this write is known there. Also when other dots of the
// entry stay live: another copy may take just those.
Record apply_update(Record own, const Context& context, Sibling written);

}  // namespace ringwright
