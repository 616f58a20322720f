#pragma once

#include <optional>
#include <span>
#include <vector>

#include "engine/record_policy.h"
#include "replication/version/record_view.h"

namespace ringwright {

// What one node stores under a storage key: a local header (mark, damaged bytes) before the
// canonical record. Only the record travels. A header that says anything has a checksum of its own:
// a mark changed into another birth of this start would let dots be issued that hide older ones.
struct Row {
  // The actor under which this node may go on issuing dots for this key: the row holds every dot
  // that it ever issued under it. Kind `siblings` only; not stored in a damaged row.
  std::optional<Actor> mark;
  // Rows and operands that could not be decoded, kept until a merge from all other primaries
  // replaces them. In byte order, each once, as the functions below leave them.
  std::vector<Bytes> damaged;
  Record record;

  bool is_damaged() const { return !damaged.empty(); }
};

Bytes encode_row(const Row& row, ByteView key);
// The same where the record's canonical bytes are at hand.
Bytes encode_row_around(const Row& row, ByteView canonical);
// What a peer's canonical record becomes when it is merged blindly: a row without a mark.
Bytes encode_operand(ByteView canonical);
// Total: what cannot be decoded ends up in `damaged`, as a whole.
Row decode_row(ByteView bytes, ByteView key, RecordKind kind);
// A row of kind `siblings` without damage, its record of the ordinary sort, read where it lies.
struct RowView {
  std::optional<Actor> mark;
  SiblingsView record;

  // False otherwise: ask `decode_row` then.
  bool read(ByteView row, ByteView key);
};
// The canonical record within a row; nullopt when the row is known to be damaged. The record itself
// is neither checked nor decoded: verify it before it travels.
std::optional<ByteView> canonical_of(ByteView row);

// `row` after a peer's record was merged into it. The mark stays iff the record's vector is not
// ahead of the row's for the marked actor: else this copy has lost dots of its own.
void merge_into_row(Row& row, Record peer);

// The merge and join of one keyspace's rows, for its engine.
class RowPolicy final : public RecordPolicy {
 public:
  explicit RowPolicy(RecordKind kind) : kind_(kind) {}
  Bytes merge(ByteView key, std::optional<ByteView> base,
              std::span<const ByteView> operands) const override;
  Bytes merge_checked(ByteView key, std::optional<ByteView> base, ByteView operand) const override;
  Bytes join(ByteView key, std::span<const ByteView> operands) const override;
  // Tombstones are kept: nothing proves yet that every owner has them.
  bool droppable(ByteView, ByteView, std::uint64_t) const override { return false; }

 private:
  RecordKind kind_;
};

}  // namespace ringwright
