#include "replication/version/row.h"

#include <algorithm>
#include <functional>
#include <iterator>

#include "engine/base/check.h"
#include "engine/base/hash.h"
#include "engine/base/seeded_bug.h"
#include "replication/version/merge.h"
#include "replication/version/record_layout.h"
#include "replication/version/storage_key.h"
#include "replication/version/succession.h"

namespace ringwright {
namespace {

constexpr std::uint8_t flags_none = 0;
constexpr std::uint8_t flag_mark = 1;
constexpr std::uint8_t flag_damaged = 2;
// At most: flags, actor, checksum.
constexpr std::size_t marked_header_bytes = 1 + (16 + 8 + 10) + 4;

struct RowParts {
  std::optional<Actor> mark;
  std::vector<Bytes> damaged;
  ByteView canonical;
};

void put_damaged(Bytes& out, const std::vector<Bytes>& damaged) {
  put_varint(out, damaged.size());
  for (const Bytes& bytes : damaged) put_bytes(out, bytes);
}

// Fails the decoder unless the list is in strict order and not empty.
std::vector<Bytes> take_damaged(Decoder& in) {
  std::vector<Bytes> damaged;
  const std::size_t count = in.count(1);
  if (count == 0) in.fail();
  for (std::size_t i = 0; i < count && !in.failed(); ++i) {
    const ByteView bytes = in.bytes();
    if (i > 0 && !(ByteView(damaged.back()) < bytes)) in.fail();
    damaged.emplace_back(bytes);
  }
  return damaged;
}

// A row without damage.
struct PlainRow {
  std::optional<Actor> mark;
  ByteView canonical;
};

std::optional<PlainRow> split_plain_row(ByteView row) {
  Decoder in(row);
  PlainRow parts;
  const std::uint8_t flags = in.u8();
  if (flags == flag_mark) {
    parts.mark = take_actor(in);
    const ByteView header = row.substr(0, row.size() - in.left());
    if (in.u32() != checksum32(header)) in.fail();
  } else if (flags != flags_none) {
    return std::nullopt;
  }
  parts.canonical = in.rest();
  if (in.failed() || parts.canonical.empty()) return std::nullopt;
  return parts;
}

std::optional<RowParts> split_row(ByteView row) {
  if (const auto plain = split_plain_row(row)) return RowParts{plain->mark, {}, plain->canonical};
  Decoder in(row);
  RowParts parts;
  if (in.u8() != flag_damaged) return std::nullopt;
  parts.damaged = take_damaged(in);
  const ByteView header = row.substr(0, row.size() - in.left());
  if (in.u32() != checksum32(header)) in.fail();
  parts.canonical = in.rest();
  if (in.failed() || parts.canonical.empty()) return std::nullopt;
  return parts;
}

// The union of both lists: linear, also where both are long.
void keep_damaged(Row& row, std::vector<Bytes> damaged) {
  if (damaged.empty()) return;
  std::vector<Bytes> both;
  both.reserve(row.damaged.size() + damaged.size());
  std::set_union(std::make_move_iterator(row.damaged.begin()),
                 std::make_move_iterator(row.damaged.end()),
                 std::make_move_iterator(damaged.begin()), std::make_move_iterator(damaged.end()),
                 std::back_inserter(both));
  row.damaged = std::move(both);
}

// Whether an operand's bytes were checked by who gave them.
enum class Proof : std::uint8_t { given, missing };

// The canonical bytes of a row of kind `lww` without mark and damage, and what is in them.
struct LwwRow {
  ByteView canonical;
  SiblingView sibling;
};
std::optional<LwwRow> view_lww_row(ByteView row, ByteView key, Proof proof) {
  if (row.empty() || static_cast<std::uint8_t>(row.front()) != flags_none) return std::nullopt;
  const ByteView canonical = row.substr(1);
  const auto sibling =
      proof == Proof::given ? view_lww_checked(canonical) : view_lww(canonical, key);
  if (!sibling) return std::nullopt;
  return LwwRow{canonical, *sibling};
}

// Of kind `lww` one of the two survives as it is, so nothing need be decoded. Nullopt: where either
// is out of the ordinary.
std::optional<Bytes> merge_lww_rows(std::optional<ByteView> base, ByteView operand, ByteView key,
                                    Proof proof) {
  const auto right = view_lww_row(operand, key, proof);
  if (!right) return std::nullopt;
  if (!base) return encode_operand(right->canonical);
  const auto left = view_lww_row(*base, key, Proof::missing);
  if (!left) return std::nullopt;
  return encode_operand(right_wins(left->sibling, right->sibling) ? right->canonical
                                                                  : left->canonical);
}

// For records of which `find_succession` cannot tell: of several siblings, above all.
Succession compare(ByteView newer, ByteView older, const std::optional<Actor>& marked) {
  SiblingsView right;
  SiblingsView left;
  if (!right.read_checked(newer) || !left.read_checked(older) || !supersedes(right, left))
    return {};
  return {.is_told = true,
          .raises_marked = marked && right.counter_of(*marked) > left.counter_of(*marked)};
}

// As above, of kind `siblings`: mostly the operand comes from who had seen all of the base.
std::optional<Bytes> merge_siblings_rows(std::optional<ByteView> base, ByteView operand,
                                         ByteView key, Proof proof) {
  if (operand.empty() || static_cast<std::uint8_t>(operand.front()) != flags_none)
    return std::nullopt;
  const ByteView canonical = operand.substr(1);
  if (SiblingsView view; proof == Proof::missing && !view.read(canonical, key)) return std::nullopt;
  if (!base) return encode_operand(canonical);
  const auto row = split_plain_row(*base);
  if (!row || !is_sound(row->canonical, key)) return std::nullopt;
  Succession found = find_succession(canonical, row->canonical, row->mark);
  if (!found.is_told) found = compare(canonical, row->canonical, row->mark);
  if (!found.is_told) return std::nullopt;
  const bool keeps_mark =
      row->mark && (!found.raises_marked || seeded_bug(SeededBug::mark_kept_from_peer));
  if (!keeps_mark) return encode_operand(canonical);
  const ByteView header = base->substr(0, base->size() - row->canonical.size());
  Bytes out;
  out.reserve(header.size() + canonical.size());
  out.append(header);
  out.append(canonical);
  return out;
}

std::optional<Bytes> merge_rows(RecordKind kind, std::optional<ByteView> base, ByteView operand,
                                ByteView key, Proof proof) {
  return kind == RecordKind::lww ? merge_lww_rows(base, operand, key, proof)
                                 : merge_siblings_rows(base, operand, key, proof);
}

}  // namespace

Bytes encode_row(const Row& row, ByteView key) {
  return encode_row_around(row, encode_record(row.record, key));
}

Bytes encode_row_around(const Row& row, ByteView canonical) {
  Bytes out;
  out.reserve((row.mark ? marked_header_bytes : 1) + canonical.size());
  if (row.is_damaged()) {  // then without the mark: what was in those bytes may have had own dots
    RW_CHECK(std::adjacent_find(row.damaged.begin(), row.damaged.end(), std::greater_equal<>()) ==
             row.damaged.end());
    put_u8(out, flag_damaged);
    put_damaged(out, row.damaged);
    put_u32(out, checksum32(out));
  } else if (row.mark) {
    put_u8(out, flag_mark);
    put_actor(out, *row.mark);
    put_u32(out, checksum32(out));
  } else {
    put_u8(out, flags_none);
  }
  out.append(canonical);
  return out;
}

Bytes encode_operand(ByteView canonical) {
  Bytes out;
  out.reserve(1 + canonical.size());
  put_u8(out, flags_none);
  out.append(canonical);
  return out;
}

Row decode_row(ByteView bytes, ByteView key, RecordKind kind) {
  Row row;
  row.record.kind = kind;
  auto parts = split_row(bytes);
  auto record = parts ? decode_record(parts->canonical, key, kind)
                      : Result<Record>(Status{Code::corrupt, "no header"});
  if (!record) {
    // Whole, not also piece by piece: else a row damaged again and again would double each time.
    row.damaged.emplace_back(bytes);
    return row;
  }
  row.mark = parts->mark;
  row.damaged = std::move(parts->damaged);
  row.record = std::move(*record);
  return row;
}

bool RowView::read(ByteView row, ByteView key) {
  const auto parts = split_plain_row(row);
  if (!parts) return false;
  mark = parts->mark;
  return record.read(parts->canonical, key);
}

std::optional<ByteView> canonical_of(ByteView row) {
  const auto parts = split_plain_row(row);
  return parts ? std::optional(parts->canonical) : std::nullopt;
}

void merge_into_row(Row& row, Record peer) {
  if (row.mark && peer.vector.highest_of(*row.mark) > row.record.vector.counter_of(*row.mark) &&
      !seeded_bug(SeededBug::mark_kept_from_peer))
    row.mark.reset();
  row.record =
      row.record.empty() ? std::move(peer) : merge_records(std::move(row.record), std::move(peer));
}

Bytes RowPolicy::merge(ByteView key, std::optional<ByteView> base,
                       std::span<const ByteView> operands) const {
  const ByteView user = user_key(key);
  if (operands.size() == 1)
    if (auto merged = merge_rows(kind_, base, operands.front(), user, Proof::missing))
      return std::move(*merged);
  Row row;
  row.record.kind = kind_;
  if (base) row = decode_row(*base, user, kind_);
  for (const ByteView operand : operands) {
    Row peer = decode_row(operand, user, kind_);
    keep_damaged(row, std::move(peer.damaged));
    merge_into_row(row, std::move(peer.record));
  }
  return encode_row(row, user);
}

Bytes RowPolicy::merge_checked(ByteView key, std::optional<ByteView> base, ByteView operand) const {
  if (auto merged = merge_rows(kind_, base, operand, user_key(key), Proof::given))
    return std::move(*merged);
  return merge(key, base, {&operand, 1});
}

Bytes RowPolicy::join(ByteView key, std::span<const ByteView> operands) const {
  return merge(key, std::nullopt, operands);
}

}  // namespace ringwright
