#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "engine/base/status.h"
#include "engine/base/time.h"
#include "replication/version/actor.h"
#include "replication/version/context.h"
#include "replication/version/storage_key.h"

namespace ringwright {

// Where a transport delivers to: one process's node, or one client. Private to the transport.
using Endpoint = std::uint32_t;
// The requester's name of one operation; replies echo it. A node keeps its shard's index in the top
// byte (operation_shard), so that a reply finds its way without a table.
using OperationId = std::uint64_t;
constexpr int operation_shard_shift = 56;

// How many replicas must answer: a count from 1 to n, a named level, or the keyspace's default.
struct Level {
  enum Name : std::uint8_t {
    by_default = 0,
    one = 201,
    two = 202,
    three = 203,
    quorum = 204,
    all = 205
  };
  std::uint8_t value = by_default;
  friend bool operator==(const Level&, const Level&) = default;
};
// The count that a level means among n replicas; `invalid` when it is above n.
Result<std::uint32_t> resolve_level(Level level, std::uint32_t n, std::uint32_t by_default);
// "ONE", "quorum", "2"; `invalid` names the nearest.
Result<Level> parse_level(std::string_view text);

// How a request ended. failed: certainly no effect. unknown: it may or may not take effect.
enum class Outcome : std::uint8_t { ok = 0, failed = 1, unknown = 2 };

struct GetRequest {
  OperationId operation = 0;
  Bytes keyspace;
  Bytes key;
  Level r;
  Nanoseconds timeout = 0;
  friend bool operator==(const GetRequest&, const GetRequest&) = default;
};

// A put, or with `tombstone` a delete.
struct PutRequest {
  OperationId operation = 0;
  Bytes keyspace;
  Bytes key;
  Bytes value;
  bool tombstone = false;
  bool forwarded = false;  // sent on by a node that keeps no copy: not sent on again
  Bytes context;           // encoded; empty: concurrent with all that was not seen
  Level w;
  std::uint64_t ttl_us = 0;  // 0: the keyspace's default
  RequestId request;
  Nanoseconds timeout = 0;
  friend bool operator==(const PutRequest&, const PutRequest&) = default;
};

// One live value as a client sees it.
struct ShownSibling {
  Bytes value;
  Dot dot;
  Timestamp stamp = 0;
  friend bool operator==(const ShownSibling&, const ShownSibling&) = default;
};

// The answer to a get or a put.
struct ClientReply {
  OperationId operation = 0;
  Outcome outcome = Outcome::ok;
  Code code = Code::ok;
  Bytes message;
  std::uint32_t required = 0;
  std::uint32_t received = 0;
  NodeId coordinator;
  Bytes key;
  RequestId request;
  std::vector<ShownSibling> siblings;  // of a get; none: absent or deleted
  Bytes context;                       // encoded; of a get what was read, of a put what was written
  Dot dot;                             // of a put: the event it made
  friend bool operator==(const ClientReply&, const ClientReply&) = default;
};

struct ReplicaRead {
  OperationId operation = 0;
  Bytes keyspace;
  Bytes key;
  friend bool operator==(const ReplicaRead&, const ReplicaRead&) = default;
};

struct ReplicaReadReply {
  OperationId operation = 0;
  Code code = Code::ok;
  Bytes message;
  Bytes record;  // canonical; empty: absent
  friend bool operator==(const ReplicaReadReply&, const ReplicaReadReply&) = default;
};

// Why a record is sent to a replica. put, repair and handoff merge; heal also replaces bytes that
// could not be decoded, because the sender has read all other primaries.
enum class WritePurpose : std::uint8_t { put = 0, repair = 1, handoff = 2, heal = 3 };

struct ReplicaWrite {
  OperationId operation = 0;
  Bytes keyspace;
  Bytes key;
  RowKind row = RowKind::data;  // data for a primary, fallback for a stand-in
  WritePurpose purpose = WritePurpose::put;
  Bytes record;  // canonical
  friend bool operator==(const ReplicaWrite&, const ReplicaWrite&) = default;
};

// Sent when the record is durable in the keyspace's class, or when it certainly or possibly is not.
struct ReplicaWriteReply {
  OperationId operation = 0;
  Code code = Code::ok;
  Bytes message;
  friend bool operator==(const ReplicaWriteReply&, const ReplicaWriteReply&) = default;
};

// Of writes for which a ReplicaWriteReply would say ok, those that one wake-up made durable. All
// are operations of the same shard of their requester.
struct ReplicaWriteAcks {
  std::vector<OperationId> operations;
  friend bool operator==(const ReplicaWriteAcks&, const ReplicaWriteAcks&) = default;
};

struct Ping {
  friend bool operator==(const Ping&, const Ping&) = default;
};
struct Pong {
  friend bool operator==(const Pong&, const Pong&) = default;
};

// A piece of a message that is larger than a frame. The receiver acts only on the whole.
struct Fragment {
  std::uint64_t transfer_high = 0;  // the sending shard's start
  std::uint64_t transfer_low = 0;   // and its count of transfers
  std::uint32_t index = 0;
  std::uint32_t count = 0;
  bool is_reply = false;  // of the whole message, for the way to its shard
  std::uint64_t route = 0;
  Bytes bytes;
  friend bool operator==(const Fragment&, const Fragment&) = default;
};

// Append only: the position is the type number in the bytes.
using Message =
    std::variant<GetRequest, PutRequest, ClientReply, ReplicaRead, ReplicaReadReply, ReplicaWrite,
                 ReplicaWriteReply, Ping, Pong, Fragment, ReplicaWriteAcks>;

struct Envelope {
  Endpoint source = 0;
  Endpoint target = 0;
  Timestamp stamp = 0;  // the sending shard's hybrid clock; 0 from a client
  Message message;
};

// A reply goes to the shard that asked; a request to the shard that owns its token; a ping to 0.
struct Route {
  bool is_reply = false;
  std::uint64_t value = 0;  // the operation of a reply, the token of a request
};
Route route_of(const Message& message);
// Which of a node's shards a message belongs to.
std::uint32_t shard_of(const Message& message, std::uint32_t shards);
std::uint32_t shard_of_token(Token token, std::uint32_t shards);
// The first token of a shard; of the one past the last, 0.
Token shard_start(std::uint32_t shard, std::uint32_t shards);

// The codec `native`: type number, stamp, fields in order; then a checksum. docs/formats.md.
Bytes encode_message(Timestamp stamp, const Message& message);
struct StampedMessage {
  Timestamp stamp = 0;
  Message message;
};
Result<StampedMessage> decode_message(ByteView bytes);
// The same without the checksum, behind what `out` holds already: for a transport that guards many
// messages at once.
void append_unguarded(Bytes& out, Timestamp stamp, const Message& message);
Result<StampedMessage> decode_unguarded(ByteView bytes);
// About how many bytes the message takes encoded; never less than it really takes.
std::size_t message_bytes_bound(const Message& message);

}  // namespace ringwright
