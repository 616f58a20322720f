#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>

#include "replication/version/record.h"

namespace ringwright {

// A sibling whose value lies in the bytes that it was read from.
struct SiblingView {
  Dot dot;
  Timestamp stamp = 0;
  bool tombstone = false;
  std::uint64_t expires_us = 0;
  RequestId request;
  ByteView value;
  friend bool operator==(const SiblingView&, const SiblingView&) = default;
};

// The one sibling of a record of kind `lww`, read without an allocation. Nullopt where
// `decode_record` would fail or finds no sibling: ask that one then.
std::optional<SiblingView> view_lww(ByteView canonical, ByteView key);
// The same of bytes whose checksum was compared before.
std::optional<SiblingView> view_lww_checked(ByteView canonical);

// A vector's entry where it lies in its bytes, decoded only as far as somebody asks.
struct EntryView {
  const char* fixed;          // the actor's node and start
  std::uint64_t raw_birth;    // as `load_raw_varint` says: enough to compare
  std::uint64_t raw_counter;  // likewise
  Timestamp stamp;

  Actor actor() const {
    return {{load_u64_big_endian(fixed), load_u64_big_endian(fixed + 8)},
            load_u64(fixed + 16),
            varint_value(raw_birth)};
  }
  std::uint64_t counter() const { return varint_value(raw_counter); }
  // False where fewer bytes are left than an entry may have, or where it is not in canonical form.
  bool read(Decoder& in) {
    fixed = in.ahead(VersionVector::entry_ahead_bytes);
    if (fixed == nullptr) return false;
    const char* at = fixed + actor_bytes_fixed;
    if (!load_raw_varint(at, raw_birth) || !load_raw_varint(at, raw_counter)) return false;
    stamp = load_u64(at);
    in.skip_to(at + sizeof(stamp));
    return raw_counter != 0;
  }
  bool is_same_actor(const EntryView& other) const {
    return raw_birth == other.raw_birth && std::memcmp(fixed, other.fixed, actor_bytes_fixed) == 0;
  }
};

// What is read without decoding it has at most so many.
constexpr std::size_t viewed_entries_max = 8;
constexpr std::size_t viewed_siblings_max = 4;

// A record of kind `siblings` of the ordinary sort, read without an allocation: few entries, few
// siblings and at least one, no detached dots. The bytes must outlive it.
class SiblingsView {
 public:
  SiblingsView() {}  // NOLINT: the arrays are left as they are

  // False where `decode_record` would fail, or where the record is out of the ordinary.
  bool read(ByteView canonical, ByteView key);
  // The same of bytes whose checksum was compared before.
  bool read_checked(ByteView canonical);

  std::span<const EntryView> entries() const { return {entries_.data(), entry_count_}; }
  std::span<const SiblingView> siblings() const { return {siblings_.data(), sibling_count_}; }
  VersionVector vector() const;
  // As VersionVector says.
  std::uint64_t counter_of(const Actor& actor) const;
  const SiblingView* find(const Dot& dot) const;

 private:
  bool read_entries(Decoder& in);
  bool read_siblings(Decoder& in);

  // In unions, for most of their places are never needed, and a record is read several times for
  // each put.
  union {
    std::array<EntryView, viewed_entries_max> entries_;
  };
  union {
    std::array<SiblingView, viewed_siblings_max> siblings_;
  };
  std::size_t entry_count_ = 0;
  std::size_t sibling_count_ = 0;
};

// Whether `decode_record` would succeed; cheaper where the record need not be kept.
Status check_record(ByteView canonical, ByteView key, RecordKind kind);

}  // namespace ringwright
