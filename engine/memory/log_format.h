#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/status.h"

namespace ringwright {

// Bytes of one log file of the memory engine. Integers are little-endian, lengths are varints.
//
//   header    8  magic "rwmemlog"
//             4  format version, 2
//             8  base sequence: the last write that the snapshot contains
//             8  number of snapshot records
//             4  checksum32 of the 28 bytes before
//   record    4  payload length
//             4  checksum32 of the next two fields
//             8  sequence: the base sequence in the snapshot, then base + 1, base + 2, ...
//             n  payload: varint unproven (not in format 1), varint count, then per operation
//                  1  kind: 0 put, 1 remove, 2 merge, 3 drop range (key: start, value: stop)
//                  varint length and bytes of the key, the same of the value
//
// The snapshot is put in place with the header, all at once, so it is never torn; the records after
// it are appended one by one. Behind the last sync a loss of power may leave any of their pages and
// not the others. `unproven` tells that from damage: so many of the writes just before this one
// were not yet as durable as their class demands when it was appended; all before them were.
constexpr std::uint32_t log_format_version = 2;
constexpr std::size_t log_header_bytes = 32;
constexpr std::size_t log_record_head_bytes = 16;

enum class LogKind : std::uint8_t { put = 0, remove = 1, merge = 2, drop_range = 3 };

// Key and value are borrowed.
struct LogOperation {
  LogKind kind;
  ByteView key;
  ByteView value;
};

Bytes encode_log_header(std::uint64_t base_sequence, std::uint64_t snapshot_records);
void append_log_record(Bytes& out, std::uint64_t sequence, std::uint64_t unproven,
                       std::span<const LogOperation> operations);

// Called for each whole record in order.
using LogVisitor = std::function<Status(std::span<const LogOperation> operations)>;

struct LogReplay {
  std::uint32_t format = log_format_version;
  std::uint64_t base_sequence = 0;
  std::uint64_t last_sequence = 0;
  std::uint64_t good_bytes = 0;  // where the last whole record ends; what follows is a torn tail
};

// Reads one file. An incomplete or bad record that was not proven is where a crash tore the tail
// off: it is left out with all that follows. `corrupt` names file and offset: a bad header or
// snapshot, a gap in the sequences, or a bad record that a later one says was proven. `mismatch`: a
// newer format.
Result<LogReplay> replay_log(const std::string& file_name, ByteView content,
                             const LogVisitor& visit);

}  // namespace ringwright
