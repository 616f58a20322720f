#include "replication/version/record.h"

#include <algorithm>
#include <memory>

#include "engine/base/check.h"
#include "engine/base/hash.h"
#include "replication/version/record_layout.h"

namespace ringwright {
namespace {

// Actor index, counter, flags, stamp, value length.
constexpr std::size_t sibling_bytes_min = 1 + 1 + 1 + 8 + 1;

std::size_t encoded_bytes_max(const Record& record) {
  constexpr std::size_t content_bytes_max = 1 + 8 + 8 + request_id_bytes_max + varint_bytes_max;
  std::size_t bytes = checked_from + 1 + varint_bytes_max + record.vector.encoded_bytes_max();
  for (const Sibling& sibling : record.siblings)
    bytes += actor_bytes_max + varint_bytes_max + content_bytes_max + sibling.value.size();
  return bytes;
}

void encode_content(Room& out, const Sibling& sibling) {
  const std::uint64_t expires_us = sibling.tombstone ? 0 : sibling.expires_us;
  std::uint8_t flags = 0;
  if (sibling.tombstone) flags |= flag_tombstone;
  if (expires_us != 0) flags |= flag_expiry;
  if (!sibling.request.empty()) flags |= flag_request;
  put_u8(out, flags);
  put_u64(out, sibling.stamp);
  if (expires_us != 0) put_u64(out, expires_us);
  if (!sibling.request.empty()) put_request_id(out, sibling.request);
  put_bytes(out, sibling.tombstone ? ByteView{} : ByteView(sibling.value));
}

Sibling copy_of(const SiblingView& view) {
  return {view.dot, view.stamp, view.tombstone, view.expires_us, view.request, Bytes(view.value)};
}

void encode_siblings(Room& out, const Record& record) {
  record.vector.encode(out);
  put_varint(out, record.siblings.size());
  const auto& entries = record.vector.entries();
  std::size_t index = 0;  // siblings and entries are both in actor order
  const Dot* last = nullptr;
  for (const Sibling& sibling : record.siblings) {
    while (index < entries.size() && entries[index].actor < sibling.dot.actor) ++index;
    RW_CHECK(index < entries.size() && entries[index].actor == sibling.dot.actor);
    RW_CHECK(sibling.dot.counter > 0 && sibling.dot.counter <= entries[index].counter);
    RW_CHECK(last == nullptr || *last < sibling.dot);
    last = &sibling.dot;
    put_varint(out, index);
    put_varint(out, sibling.dot.counter);
    encode_content(out, sibling);
  }
}

void decode_siblings(Decoder& in, Record& record) {
  record.vector = VersionVector::decode(in);
  const auto& entries = record.vector.entries();
  const std::size_t count = in.count(sibling_bytes_min);
  record.siblings.reserve(count);
  for (std::size_t i = 0; i < count && !in.failed(); ++i) {
    const std::uint64_t index = in.varint();
    SiblingView sibling;
    sibling.dot.counter = in.varint();
    if (index >= entries.size() || sibling.dot.counter == 0 ||
        sibling.dot.counter > entries[index].counter) {
      in.fail();
      return;
    }
    sibling.dot.actor = entries[index].actor;
    decode_content(in, sibling);
    if (i > 0 && !(record.siblings.back().dot < sibling.dot)) in.fail();
    record.siblings.push_back(copy_of(sibling));
  }
}

void encode_lww(Room& out, const Record& record) {
  RW_CHECK(record.vector.empty() && record.siblings.size() <= 1);
  for (const Sibling& sibling : record.siblings) {
    put_actor(out, sibling.dot.actor);
    put_varint(out, sibling.dot.counter);
    encode_content(out, sibling);
  }
}

SiblingView decode_lww_sibling(Decoder& in) {
  SiblingView sibling;
  sibling.dot.actor = take_actor(in);
  sibling.dot.counter = in.varint();
  decode_content(in, sibling);
  return sibling;
}

void decode_lww(Decoder& in, Record& record) {
  if (in.left() > 0) record.siblings.push_back(copy_of(decode_lww_sibling(in)));
}

Status corrupt(ByteView key, std::string_view why) {
  return {Code::corrupt, "the record of key " + printable(key) + " " + std::string(why)};
}

}  // namespace

std::string_view record_kind_name(RecordKind kind) {
  return kind == RecordKind::lww ? "lww" : "siblings";
}

const Sibling* Record::find(const Dot& dot) const {
  const auto at = std::lower_bound(siblings.begin(), siblings.end(), dot,
                                   [](const Sibling& a, const Dot& b) { return a.dot < b; });
  return at != siblings.end() && at->dot == dot ? &*at : nullptr;
}

Context Record::context(ByteView keyspace, ByteView key) const {
  Context context = empty_context(keyspace, key);
  context.vector = vector;
  context.stamp = vector.latest_stamp();
  for (const Sibling& sibling : siblings) context.stamp = std::max(context.stamp, sibling.stamp);
  return context;
}

Bytes encode_record(const Record& record, ByteView key) {
  Bytes out;
  Room room(out, encoded_bytes_max(record));
  put_u8(room, record_format);
  put_u32(room, 0);
  put_u8(room, static_cast<std::uint8_t>(record.kind));
  if (record.kind == RecordKind::lww)
    encode_lww(room, record);
  else
    encode_siblings(room, record);
  room.finish();
  set_u32(out, 1, checksum32(key, ByteView(out).substr(checked_from)));
  return out;
}

Status verify_record(ByteView bytes, ByteView key) {
  if (is_sound(bytes, key)) return {};
  Decoder in(bytes);
  const std::uint8_t format = in.u8();
  const std::uint32_t checksum = in.u32();
  if (in.left() == 0) return corrupt(key, "is cut short");
  if (format != record_format) return corrupt(key, "has a format that this release cannot read");
  if (checksum32(key, in.rest()) != checksum)
    return corrupt(key, "fails its checksum: damaged, or written for another key");
  return {};
}

Result<Record> decode_record(ByteView bytes, ByteView key, RecordKind kind) {
  if (Status verified = verify_record(bytes, key); !verified.is_ok()) return verified;
  Decoder in(bytes.substr(checked_from));
  if (in.u8() != static_cast<std::uint8_t>(kind))
    return corrupt(key, "is of another kind than its keyspace");
  Record record;
  record.kind = kind;
  if (kind == RecordKind::lww)
    decode_lww(in, record);
  else
    decode_siblings(in, record);
  if (!in.complete()) return corrupt(key, "is not in canonical form");
  return record;
}

std::optional<SiblingView> view_lww(ByteView canonical, ByteView key) {
  return is_sound(canonical, key) ? view_lww_checked(canonical) : std::nullopt;
}

std::optional<SiblingView> view_lww_checked(ByteView canonical) {
  if (canonical.size() < checked_from) return std::nullopt;
  Decoder in(canonical.substr(checked_from));
  if (in.u8() != static_cast<std::uint8_t>(RecordKind::lww)) return std::nullopt;
  const SiblingView sibling = decode_lww_sibling(in);
  if (!in.complete()) return std::nullopt;
  return sibling;
}

Status check_record(ByteView canonical, ByteView key, RecordKind kind) {
  if (kind == RecordKind::lww && view_lww(canonical, key)) return ok_status();
  if (SiblingsView view; kind == RecordKind::siblings && view.read(canonical, key))
    return ok_status();
  return decode_record(canonical, key, kind).status();
}

}  // namespace ringwright
