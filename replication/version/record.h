#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/base/status.h"
#include "replication/version/context.h"
#include "replication/version/version_vector.h"

namespace ringwright {

// How a keyspace's records are built and merged.
enum class RecordKind : std::uint8_t { siblings = 1, lww = 2 };
std::string_view record_kind_name(RecordKind kind);

// One of several concurrent values of a key, or the mark of its removal.
struct Sibling {
  Dot dot;              // of kind `lww` only the actor has a meaning
  Timestamp stamp = 0;  // of the put that made it
  bool tombstone = false;
  std::uint64_t expires_us = 0;  // wall microseconds from which on it is a tombstone; 0: never
  RequestId request;
  Bytes value;  // a tombstone has neither value nor expiry

  // Shown to users at this wall time.
  bool is_live(std::uint64_t wall_us) const {
    return !tombstone && (expires_us == 0 || wall_us < expires_us);
  }
  friend bool operator==(const Sibling&, const Sibling&) = default;
};

// What the replicas of a key agree on. Kind `siblings`: a dotted version vector set (Preguica,
// Baquero, Almeida, Fonte and Goncalves, 2012): siblings in dot order, each covered by the vector.
// Kind `lww`: at most one sibling and no vector.
struct Record {
  RecordKind kind = RecordKind::siblings;
  VersionVector vector;
  std::vector<Sibling> siblings;

  bool empty() const { return vector.empty() && siblings.empty(); }
  const Sibling* find(const Dot& dot) const;
  // What a reader of this record has seen.
  Context context(ByteView keyspace, ByteView key) const;

  friend bool operator==(const Record&, const Record&) = default;
};

// The canonical bytes: equal records of one key are equal bytes. Layout in docs/formats.md. The
// record is well-formed: siblings in strict dot order, each covered by the vector.
Bytes encode_record(const Record& record, ByteView key);
// `corrupt` when the bytes are damaged, belong to another key, are of a newer format or another
// kind, or are not in canonical order.
Result<Record> decode_record(ByteView bytes, ByteView key, RecordKind kind);
// Compares the checksum only: the bytes are whole and belong to this key. What a peer sent is
// decoded before it is written, since whole bytes may still be of another kind or out of order.
Status verify_record(ByteView bytes, ByteView key);

}  // namespace ringwright
