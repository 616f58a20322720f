#pragma once

#include <optional>

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
};

// The one sibling of a record of kind `lww`, read without an allocation. Nullopt where
// `decode_record` would fail or finds no sibling: ask that one then.
std::optional<SiblingView> view_lww(ByteView canonical, ByteView key);

// Whether `decode_record` would succeed; cheaper where the record need not be kept.
Status check_record(ByteView canonical, ByteView key, RecordKind kind);

}  // namespace ringwright
