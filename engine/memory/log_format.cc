#include "engine/memory/log_format.h"

#include <optional>

#include "engine/base/coding.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"

namespace ringwright {
namespace {

constexpr ByteView magic = "rwmemlog";
constexpr std::size_t operation_bytes_min = 3;

struct Header {
  std::uint32_t format = 0;
  std::uint64_t base_sequence = 0;
  std::uint64_t snapshot_records = 0;
};

struct Record {
  std::uint64_t sequence = 0;
  std::uint64_t unproven = 0;
  ByteView payload;
  std::size_t end = 0;
};

Status damaged(const std::string& file_name, std::size_t offset, const std::string& what) {
  return {Code::corrupt,
          "file '" + file_name + "' at byte " + std::to_string(offset) + ": " + what};
}

Result<Header> read_header(const std::string& file_name, ByteView content) {
  Decoder decoder(content.substr(0, log_header_bytes));
  if (decoder.take(magic.size()) != magic)
    return damaged(file_name, 0, "this is not a log of the memory engine");
  // Before the checksum: a newer format may have another header.
  const std::uint32_t version = decoder.u32();
  if (!decoder.failed() && version > log_format_version)
    return Status{Code::mismatch, "file '" + file_name + "' has log format " +
                                      std::to_string(version) + "; this program knows up to " +
                                      std::to_string(log_format_version)};
  Header header;
  header.format = version;
  header.base_sequence = decoder.u64();
  header.snapshot_records = decoder.u64();
  const std::uint32_t stored = decoder.u32();
  if (!decoder.complete() || stored != checksum32(content.substr(0, log_header_bytes - 4)))
    return damaged(file_name, 0, "the header fails its checksum");
  return header;
}

// The record that begins at `offset`, if a whole one with the right checksum does.
std::optional<Record> read_record(std::uint32_t format, ByteView content, std::size_t offset) {
  Decoder decoder(content.substr(offset));
  const std::uint32_t length = decoder.u32();
  const std::uint32_t stored = decoder.u32();
  const ByteView guarded = decoder.take(std::size_t{8} + length);
  if (decoder.failed() || stored != checksum32(guarded)) return std::nullopt;
  Decoder fields(guarded);
  Record record;
  record.sequence = fields.u64();
  // Before format 2 every earlier record counted as proven.
  if (format >= 2) record.unproven = fields.varint();
  if (fields.failed()) record.unproven = 0;  // an empty payload, which is malformed anyway
  record.payload = fields.rest();
  record.end = offset + log_record_head_bytes + length;
  return record;
}

// Whether a whole record of a later write that begins anywhere behind `offset` says that the one at
// `offset`, of the write after `last_sequence`, was proven. A sequence out of reach of the bytes
// that are left spares nearly all of the checksums.
bool was_proven(std::uint32_t format, ByteView content, std::size_t offset,
                std::uint64_t last_sequence) {
  for (std::size_t at = offset + 1; at + log_record_head_bytes <= content.size(); ++at) {
    Decoder decoder(content.substr(at + 8, 8));
    const std::uint64_t ahead = decoder.u64() - last_sequence;
    const std::uint64_t reach = (content.size() - offset) / log_record_head_bytes + 1;
    if (ahead == 0 || ahead > reach) continue;
    const auto record = read_record(format, content, at);
    // Ahead by one it repeats the write at `offset`, which only a wrong order can explain.
    if (record && (ahead == 1 || record->unproven + 1 < ahead)) return true;
  }
  return false;
}

bool decode_operations(ByteView payload, std::vector<LogOperation>& operations) {
  Decoder decoder(payload);
  const std::size_t count = decoder.count(operation_bytes_min);
  operations.clear();
  operations.reserve(count);
  for (std::size_t i = 0; i < count && !decoder.failed(); ++i) {
    const std::uint8_t kind = decoder.u8();
    if (kind > static_cast<std::uint8_t>(LogKind::drop_range)) decoder.fail();
    const ByteView key = decoder.bytes();
    const ByteView value = decoder.bytes();
    operations.push_back({static_cast<LogKind>(kind), key, value});
  }
  return decoder.complete();
}

}  // namespace

Bytes encode_log_header(std::uint64_t base_sequence, std::uint64_t snapshot_records) {
  Bytes out(magic);
  put_u32(out, log_format_version);
  put_u64(out, base_sequence);
  put_u64(out, snapshot_records);
  put_u32(out, checksum32(out));
  return out;
}

void append_log_record(Bytes& out, std::uint64_t sequence, std::uint64_t unproven,
                       std::span<const LogOperation> operations) {
  Bytes guarded;
  put_u64(guarded, sequence);
  put_varint(guarded, unproven);
  put_varint(guarded, operations.size());
  for (const LogOperation& operation : operations) {
    put_u8(guarded, static_cast<std::uint8_t>(operation.kind));
    put_bytes(guarded, operation.key);
    put_bytes(guarded, operation.value);
  }
  RW_CHECK(guarded.size() - 8 <= limits::memory_log_record_bytes_max);
  put_u32(out, static_cast<std::uint32_t>(guarded.size() - 8));
  put_u32(out, checksum32(guarded));
  out += guarded;
}

Result<LogReplay> replay_log(const std::string& file_name, ByteView content,
                             const LogVisitor& visit) {
  const auto header = read_header(file_name, content);
  if (!header) return header.error();
  LogReplay replay{header->format, header->base_sequence, header->base_sequence, log_header_bytes};
  std::vector<LogOperation> operations;
  for (std::uint64_t index = 0;; ++index) {
    const std::size_t offset = static_cast<std::size_t>(replay.good_bytes);
    const bool in_snapshot = index < header->snapshot_records;
    if (!in_snapshot && offset == content.size()) return replay;
    const auto record = read_record(header->format, content, offset);
    if (!record && in_snapshot) return damaged(file_name, offset, "the snapshot is damaged");
    if (!record && was_proven(header->format, content, offset, replay.last_sequence))
      return damaged(file_name, offset, "a record is damaged and others follow it");
    if (!record) return replay;
    const std::uint64_t expected = replay.last_sequence + (in_snapshot ? 0 : 1);
    if (record->sequence != expected)
      return damaged(file_name, offset,
                     "sequence " + std::to_string(record->sequence) + " stands where " +
                         std::to_string(expected) + " should");
    if (!decode_operations(record->payload, operations))
      return damaged(file_name, offset, "a record's operations are malformed");
    RW_TRY(visit(operations));
    replay.last_sequence = expected;
    replay.good_bytes = record->end;
  }
}

}  // namespace ringwright
