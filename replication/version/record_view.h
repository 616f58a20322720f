#pragma once

#include <array>
#include <cstddef>
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

// A record of kind `siblings` of the ordinary sort, read without an allocation: few entries, few
// siblings, no detached dots.
class SiblingsView {
 public:
  SiblingsView() {}  // NOLINT: the arrays are left as they are

  // False where `decode_record` would fail, or where the record is out of the ordinary.
  bool read(ByteView canonical, ByteView key);
  // The same of bytes whose checksum was compared before.
  bool read_checked(ByteView canonical);

  std::span<const VersionVector::Entry> entries() const { return {entries_.data(), entry_count_}; }
  std::span<const SiblingView> siblings() const { return {siblings_.data(), sibling_count_}; }
  // As VersionVector says.
  std::uint64_t counter_of(const Actor& actor) const;
  const SiblingView* find(const Dot& dot) const;

 private:
  bool read_entries(Decoder& in);
  bool read_siblings(Decoder& in);

  // In unions, for most of their places are never needed, and a record is read several times for
  // each put.
  union {
    std::array<VersionVector::Entry, 8> entries_;
  };
  union {
    std::array<SiblingView, 4> siblings_;
  };
  std::size_t entry_count_ = 0;
  std::size_t sibling_count_ = 0;
};

// Whether `decode_record` would succeed; cheaper where the record need not be kept.
Status check_record(ByteView canonical, ByteView key, RecordKind kind);

}  // namespace ringwright
