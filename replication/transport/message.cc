#include "replication/transport/message.h"

#include <bit>
#include <charconv>
#include <string>
#include <type_traits>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/coding.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "engine/base/nearest.h"

namespace ringwright {
namespace {

constexpr std::uint8_t message_format = 1;
constexpr std::size_t head_bytes = 1 + 1 + 8;  // format, type number, stamp
constexpr std::size_t checksum_bytes = 4;
// A value's length, a dot, a stamp.
constexpr std::size_t shown_sibling_bytes_min = 1 + actor_bytes_min + 1 + 8;

// An enum is checked by listing its values, so that the compiler points here at an appended one.
bool is_known(Code code) {
  switch (code) {
    case Code::ok:
    case Code::invalid:
    case Code::unavailable:
    case Code::timed_out:
    case Code::overloaded:
    case Code::would_block:
    case Code::busy:
    case Code::no_space:
    case Code::corrupt:
    case Code::io_error:
    case Code::in_doubt:
    case Code::locked:
    case Code::closed:
    case Code::mismatch:
      return true;
  }
  return false;
}

bool is_known(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok:
    case Outcome::failed:
    case Outcome::unknown:
      return true;
  }
  return false;
}

bool is_known(WritePurpose purpose) {
  switch (purpose) {
    case WritePurpose::put:
    case WritePurpose::repair:
    case WritePurpose::handoff:
    case WritePurpose::heal:
      return true;
  }
  return false;
}

// A peer may write copies of records only: never rows that a node keeps for itself.
bool is_known(RowKind row) { return row == RowKind::data || row == RowKind::fallback; }

bool is_known(Level level) { return level.value <= Level::all; }

// The three codecs below walk the same list of fields (`fields`), so that what is measured, written
// and read cannot differ. A field is constant for those that do not read.
template <typename Codec, typename T>
using Field = std::conditional_t<Codec::reads, T, const T>;

class Writer {
 public:
  static constexpr bool reads = false;
  explicit Writer(Room& out) : out_(out) {}

  void u64(std::uint64_t value) { put_u64(out_, value); }
  void varint(std::uint64_t value) { put_varint(out_, value); }
  void bytes(const Bytes& value) { put_bytes(out_, value); }
  void flag(bool value) { put_u8(out_, value ? 1 : 0); }
  void duration(Nanoseconds value) { put_u64(out_, static_cast<std::uint64_t>(value)); }
  void level(Level value) { put_u8(out_, value.value); }
  void node(const NodeId& id) { put_node_id(out_, id); }
  void request(const RequestId& id) { put_request_id(out_, id); }
  void dot(const Dot& dot) {
    put_actor(out_, dot.actor);
    put_varint(out_, dot.counter);
  }
  template <typename Enum>
  void enumeration(Enum value) {
    put_u8(out_, static_cast<std::uint8_t>(value));
  }
  template <typename Item, typename Each>
  void list(const std::vector<Item>& items, std::size_t /*item_bytes_min*/, const Each& each) {
    put_varint(out_, items.size());
    for (const Item& item : items) each(item);
  }

 private:
  Room& out_;
};

class Sizer {
 public:
  static constexpr bool reads = false;

  void u64(std::uint64_t) { size_ += 8; }
  void varint(std::uint64_t value) {
    size_ += (static_cast<std::size_t>(std::bit_width(value | 1)) + 6) / 7;
  }
  void bytes(const Bytes& value) {
    varint(value.size());
    size_ += value.size();
  }
  void flag(bool) { size_ += 1; }
  void duration(Nanoseconds) { size_ += 8; }
  void level(Level) { size_ += 1; }
  void node(const NodeId&) { size_ += 16; }
  void request(const RequestId& id) {
    size_ += 16;
    varint(id.sequence);
  }
  void dot(const Dot& dot) {
    size_ += 24;
    varint(dot.actor.birth);
    varint(dot.counter);
  }
  template <typename Enum>
  void enumeration(Enum) {
    size_ += 1;
  }
  template <typename Item, typename Each>
  void list(const std::vector<Item>& items, std::size_t /*item_bytes_min*/, const Each& each) {
    varint(items.size());
    for (const Item& item : items) each(item);
  }

  std::size_t size() const { return size_; }

 private:
  std::size_t size_ = 0;
};

class Reader {
 public:
  static constexpr bool reads = true;
  explicit Reader(ByteView input) : in_(input) {}

  void u64(std::uint64_t& value) { value = in_.u64(); }
  template <typename Integer>
  void varint(Integer& value) {
    const std::uint64_t read = in_.varint();
    value = static_cast<Integer>(read);
    if (value != read) in_.fail();
  }
  void bytes(Bytes& value) { value = Bytes(in_.bytes()); }
  void flag(bool& value) {
    const std::uint8_t read = in_.u8();
    if (read > 1) in_.fail();
    value = read == 1;
  }
  void duration(Nanoseconds& value) { value = static_cast<Nanoseconds>(in_.u64()); }
  void level(Level& value) {
    value.value = in_.u8();
    if (!is_known(value)) in_.fail();
  }
  void node(NodeId& id) { id = take_node_id(in_); }
  void request(RequestId& id) { id = take_request_id(in_); }
  void dot(Dot& dot) {
    dot.actor = take_actor(in_);
    dot.counter = in_.varint();
  }
  template <typename Enum>
  void enumeration(Enum& value) {
    value = static_cast<Enum>(in_.u8());
    if (!is_known(value)) in_.fail();
  }
  template <typename Item, typename Each>
  void list(std::vector<Item>& items, std::size_t item_bytes_min, const Each& each) {
    const std::size_t count = in_.count(item_bytes_min);
    items.reserve(count);
    for (std::size_t i = 0; i < count && !in_.failed(); ++i) each(items.emplace_back());
  }

  bool complete() const { return in_.complete(); }

 private:
  Decoder in_;
};

template <typename Codec>
void fields(Codec& codec, Field<Codec, GetRequest>& get) {
  codec.u64(get.operation);
  codec.bytes(get.keyspace);
  codec.bytes(get.key);
  codec.level(get.r);
  codec.duration(get.timeout);
}

template <typename Codec>
void fields(Codec& codec, Field<Codec, PutRequest>& put) {
  codec.u64(put.operation);
  codec.bytes(put.keyspace);
  codec.bytes(put.key);
  codec.bytes(put.value);
  codec.flag(put.tombstone);
  codec.flag(put.forwarded);
  codec.bytes(put.context);
  codec.level(put.w);
  codec.varint(put.ttl_us);
  codec.request(put.request);
  codec.duration(put.timeout);
}

template <typename Codec>
void fields(Codec& codec, Field<Codec, ShownSibling>& sibling) {
  codec.bytes(sibling.value);
  codec.dot(sibling.dot);
  codec.u64(sibling.stamp);
}

template <typename Codec>
void fields(Codec& codec, Field<Codec, ClientReply>& reply) {
  codec.u64(reply.operation);
  codec.enumeration(reply.outcome);
  codec.enumeration(reply.code);
  codec.bytes(reply.message);
  codec.varint(reply.required);
  codec.varint(reply.received);
  codec.node(reply.coordinator);
  codec.bytes(reply.key);
  codec.request(reply.request);
  codec.list(reply.siblings, shown_sibling_bytes_min,
             [&codec](Field<Codec, ShownSibling>& sibling) { fields(codec, sibling); });
  codec.bytes(reply.context);
  codec.dot(reply.dot);
}

template <typename Codec>
void fields(Codec& codec, Field<Codec, ReplicaRead>& read) {
  codec.u64(read.operation);
  codec.bytes(read.keyspace);
  codec.bytes(read.key);
}

template <typename Codec>
void fields(Codec& codec, Field<Codec, ReplicaReadReply>& reply) {
  codec.u64(reply.operation);
  codec.enumeration(reply.code);
  codec.bytes(reply.message);
  codec.bytes(reply.record);
}

template <typename Codec>
void fields(Codec& codec, Field<Codec, ReplicaWrite>& write) {
  codec.u64(write.operation);
  codec.bytes(write.keyspace);
  codec.bytes(write.key);
  codec.enumeration(write.row);
  codec.enumeration(write.purpose);
  codec.bytes(write.record);
}

template <typename Codec>
void fields(Codec& codec, Field<Codec, ReplicaWriteReply>& reply) {
  codec.u64(reply.operation);
  codec.enumeration(reply.code);
  codec.bytes(reply.message);
}

template <typename Codec>
void fields(Codec& codec, Field<Codec, ReplicaWriteAcks>& acks) {
  codec.list(acks.operations, sizeof(OperationId),
             [&codec](Field<Codec, OperationId>& operation) { codec.u64(operation); });
}

template <typename Codec>
void fields(Codec&, Field<Codec, Ping>&) {}

template <typename Codec>
void fields(Codec&, Field<Codec, Pong>&) {}

template <typename Codec>
void fields(Codec& codec, Field<Codec, Fragment>& piece) {
  codec.u64(piece.transfer_high);
  codec.u64(piece.transfer_low);
  codec.varint(piece.index);
  codec.varint(piece.count);
  codec.flag(piece.is_reply);
  codec.u64(piece.route);
  codec.bytes(piece.bytes);
}

// False when no message has this type number.
template <std::size_t... types>
bool read_fields(Reader& in, std::size_t type, Message& message, std::index_sequence<types...>) {
  return ((type == types && (fields(in, message.emplace<types>()), true)) || ...);
}

// Of bytes that are known to be whole, so that damage is never taken for a newer release's message.
Status read_message(ByteView bytes, StampedMessage& stamped) {
  if (bytes.size() < head_bytes) return {Code::corrupt, "the message is cut short"};
  Decoder head(bytes);
  const std::uint8_t format = head.u8();
  const std::uint8_t type = head.u8();
  stamped.stamp = head.u64();
  if (format != message_format)
    return {Code::invalid, "the message has format " + std::to_string(format) +
                               ", which this release cannot read"};
  Reader reader(head.rest());
  if (!read_fields(reader, type, stamped.message,
                   std::make_index_sequence<std::variant_size_v<Message>>()))
    return {Code::invalid,
            "the message has type " + std::to_string(type) + ", which this release does not know"};
  if (!reader.complete())
    return {Code::invalid, "the message of type " + std::to_string(type) +
                               " has a malformed field or bytes after its last"};
  return {};
}

Route route_to_token(ByteView key) { return {false, token_of(key)}; }
Route route_to_operation(OperationId operation) { return {true, operation}; }

struct Router {
  Route operator()(const GetRequest& get) const { return route_to_token(get.key); }
  Route operator()(const PutRequest& put) const { return route_to_token(put.key); }
  Route operator()(const ClientReply& reply) const { return route_to_operation(reply.operation); }
  Route operator()(const ReplicaRead& read) const { return route_to_token(read.key); }
  Route operator()(const ReplicaReadReply& reply) const {
    return route_to_operation(reply.operation);
  }
  Route operator()(const ReplicaWrite& write) const { return route_to_token(write.key); }
  Route operator()(const ReplicaWriteReply& reply) const {
    return route_to_operation(reply.operation);
  }
  Route operator()(const ReplicaWriteAcks& acks) const {
    return acks.operations.empty() ? Route{} : route_to_operation(acks.operations.front());
  }
  Route operator()(const Ping&) const { return {}; }
  Route operator()(const Pong&) const { return {}; }
  Route operator()(const Fragment& piece) const { return {piece.is_reply, piece.route}; }
};

struct NamedLevel {
  const char* name;
  Level::Name level;
};
constexpr NamedLevel named_levels[] = {{"ONE", Level::one},
                                       {"TWO", Level::two},
                                       {"THREE", Level::three},
                                       {"QUORUM", Level::quorum},
                                       {"ALL", Level::all}};

}  // namespace

Result<std::uint32_t> resolve_level(Level level, std::uint32_t n, std::uint32_t by_default) {
  if (!is_known(level))
    return Status{Code::invalid, "level " + std::to_string(level.value) +
                                     " is unknown: use ONE, TWO, THREE, QUORUM, ALL or a count"};
  std::uint32_t asked = level.value;
  if (level.value == Level::by_default) asked = by_default;
  if (level.value >= Level::one) asked = level.value - Level::one + 1u;
  if (level.value == Level::quorum) asked = n / 2 + 1;
  if (level.value == Level::all) asked = n;
  if (asked == 0) return Status{Code::invalid, "no replica asked: ask for at least 1"};
  if (asked > n)
    return Status{Code::invalid, std::to_string(asked) + (asked == 1 ? " replica" : " replicas") +
                                     " asked but the keyspace keeps n=" + std::to_string(n) +
                                     ": ask for at most " + std::to_string(n)};
  return asked;
}

Result<Level> parse_level(std::string_view text) {
  const std::string range = "a count from 1 to " + std::to_string(limits::replicas_max);
  const char* const end = text.data() + text.size();
  std::uint32_t count = 0;
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  if (rest == end && error != std::errc::invalid_argument) {
    if (error != std::errc() || count == 0 || count > limits::replicas_max)
      return Status{Code::invalid, printable(text) + " is no level: give " + range};
    return Level{static_cast<std::uint8_t>(count)};
  }
  std::string upper(text);
  for (char& letter : upper)
    if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
  std::vector<std::string> names;
  std::string known;
  for (const NamedLevel& named : named_levels) {
    if (upper == named.name) return Level{named.level};
    names.emplace_back(named.name);
    known += names.back() + ", ";
  }
  return Status{Code::invalid, printable(text) + " is no level; did you mean " +
                                   nearest_name(upper, names) + "? known: " + known + range};
}

Route route_of(const Message& message) { return std::visit(Router(), message); }

std::uint32_t shard_of(const Message& message, std::uint32_t shards) {
  RW_CHECK(shards > 0);
  const Route route = route_of(message);
  if (!route.is_reply) return shard_of_token(route.value, shards);
  // A reply to an operation of a run with more shards finds nobody waiting, wherever it goes.
  return static_cast<std::uint32_t>(route.value >> operation_shard_shift) % shards;
}

std::uint32_t shard_of_token(Token token, std::uint32_t shards) {
  return static_cast<std::uint32_t>(((token >> 32) * shards) >> 32);
}

Token shard_start(std::uint32_t shard, std::uint32_t shards) {
  RW_CHECK(shards > 0 && shard <= shards);
  // The least high half whose product with `shards` reaches shard * 2^32. One past the last it is
  // 2^32, which the shift turns into 0.
  const std::uint64_t high = ((static_cast<std::uint64_t>(shard) << 32) + shards - 1) / shards;
  return high << 32;
}

Bytes encode_message(Timestamp stamp, const Message& message) {
  Bytes out;
  append_unguarded(out, stamp, message);
  put_u32(out, checksum32(out));
  return out;
}

Result<StampedMessage> decode_message(ByteView bytes) {
  if (bytes.size() < head_bytes + checksum_bytes)
    return Status{Code::corrupt, "the message is cut short"};
  const ByteView guarded = bytes.substr(0, bytes.size() - checksum_bytes);
  if (Decoder(bytes.substr(guarded.size())).u32() != checksum32(guarded))
    return Status{Code::corrupt, "the message fails its checksum: damaged or cut short"};
  return decode_unguarded(guarded);
}

void append_unguarded(Bytes& out, Timestamp stamp, const Message& message) {
  Room room(out, message_bytes_bound(message));
  put_u8(room, message_format);
  put_u8(room, static_cast<std::uint8_t>(message.index()));
  put_u64(room, stamp);
  Writer writer(room);
  std::visit([&writer](const auto& typed) { fields(writer, typed); }, message);
  room.finish();
}

Result<StampedMessage> decode_unguarded(ByteView bytes) {
  // Read where it is returned: a message is large.
  Result<StampedMessage> decoded{std::in_place};
  if (Status read = read_message(bytes, *decoded); !read.is_ok()) decoded = std::move(read);
  return decoded;
}

std::size_t message_bytes_bound(const Message& message) {
  Sizer sizer;
  std::visit([&sizer](const auto& typed) { fields(sizer, typed); }, message);
  return head_bytes + sizer.size() + checksum_bytes;
}

}  // namespace ringwright
