#include "plugins/thrift/peer_codec.h"

#include <exception>
#include <utility>

#include "engine/base/coding.h"
#include "engine/base/hash.h"
#include "plugins/thrift/thrift_memory.h"
#include "thrift_generated/Peer.h"

namespace ringwright::wire::peer {
namespace {

using apache::thrift::protocol::T_CALL;
using apache::thrift::protocol::T_EXCEPTION;
using apache::thrift::protocol::T_REPLY;
using apache::thrift::protocol::TMessageType;

// Keyspaces of a hello.
constexpr std::int32_t elements_max = 4096;
// Of a batch, and of a message in it.
constexpr std::size_t length_bytes = 4;
// Of all messages of a batch: most are small, and one pass over many costs less than one over each.
constexpr std::size_t checksum_bytes = 4;

idl::PeerIdentity idl_of(const NodeIdentity& from) {
  idl::PeerIdentity identity;
  identity.protocol_min = static_cast<std::int32_t>(from.protocol_min);
  identity.protocol_max = static_cast<std::int32_t>(from.protocol_max);
  identity.record_format_min = static_cast<std::int32_t>(from.record_min);
  identity.record_format_max = static_cast<std::int32_t>(from.record_max);
  identity.cluster = from.cluster;
  put_node_id(identity.node, from.node);
  identity.ring_epoch = static_cast<std::int64_t>(from.ring_epoch);
  identity.ring_hash = static_cast<std::int64_t>(from.ring_hash);
  for (const auto& [name, digest] : from.keyspaces) {
    idl::KeyspaceDigest& keyspace = identity.keyspaces.emplace_back();
    keyspace.name = name;
    keyspace.digest = static_cast<std::int64_t>(digest);
  }
  return identity;
}

NodeId node_of(ByteView bytes) {
  Decoder in(bytes);
  const NodeId id = take_node_id(in);
  return in.complete() ? id : NodeId{};
}

NodeIdentity identity_of(const idl::PeerIdentity& from) {
  NodeIdentity identity;
  identity.protocol_min = static_cast<std::uint32_t>(from.protocol_min);
  identity.protocol_max = static_cast<std::uint32_t>(from.protocol_max);
  identity.record_min = static_cast<std::uint32_t>(from.record_format_min);
  identity.record_max = static_cast<std::uint32_t>(from.record_format_max);
  identity.cluster = from.cluster;
  identity.node = node_of(from.node);
  identity.ring_epoch = static_cast<std::uint64_t>(from.ring_epoch);
  identity.ring_hash = static_cast<std::uint64_t>(from.ring_hash);
  for (const idl::KeyspaceDigest& keyspace : from.keyspaces)
    identity.keyspaces.emplace_back(keyspace.name, static_cast<std::uint64_t>(keyspace.digest));
  return identity;
}

template <typename Body>
void write(Bytes& out, TMessageType type, const Body& body) {
  const std::size_t frame = binary::begin_frame(out);
  BinaryProtocol<OutputMemory> to(std::make_shared<OutputMemory>(out));
  to.writeMessageBegin("hello", type, 0);
  body.write(&to);
  to.writeMessageEnd();
  binary::end_frame(out, frame);
}

// Reads the body of a `hello` message of that type.
template <typename Body>
Status read(ByteView frame, TMessageType wanted, Body& body) {
  try {
    BinaryProtocol<InputMemory> in(
        std::make_shared<InputMemory>(frame, memory_limits(frame.size() + 1)),
        static_cast<std::int32_t>(frame.size()), elements_max, true, true);
    std::string name;
    TMessageType type = T_EXCEPTION;
    std::int32_t sequence = 0;
    in.readMessageBegin(name, type, sequence);
    if (name != "hello" || type != wanted)
      return {Code::corrupt, "a hello was expected, not " + printable(name)};
    body.read(&in);
    return ok_status();
  } catch (const std::exception& thrown) {
    return {Code::corrupt, std::string("the hello is malformed: ") + thrown.what()};
  }
}

// What stands before the bytes of a batch: the head of the oneway call, and the head of its field.
const Bytes& batch_head() {
  static const Bytes head = [] {
    Bytes made;
    binary::put_message_head(made, binary::MessageType::oneway, "deliver", 0);
    binary::put_field(made, binary::Type::bytes, 1);
    return made;
  }();
  return head;
}

}  // namespace

void encode_hello(Bytes& out, const Hello& hello) {
  idl::Peer_hello_args arguments;
  arguments.hello.caller = idl_of(hello.caller);
  put_node_id(arguments.hello.target, hello.target);
  write(out, T_CALL, arguments);
}

Result<Hello> decode_hello(ByteView frame) {
  idl::Peer_hello_args arguments;
  RW_TRY(read(frame, T_CALL, arguments));
  return Hello{identity_of(arguments.hello.caller), node_of(arguments.hello.target)};
}

void encode_welcome(Bytes& out, const NodeIdentity& server, std::uint32_t protocol) {
  idl::Peer_hello_result result;
  result.success.server = idl_of(server);
  result.success.protocol = static_cast<std::int32_t>(protocol);
  result.__isset.success = true;
  write(out, T_REPLY, result);
}

void encode_refusal(Bytes& out, const Mismatch& why) {
  idl::Peer_hello_result result;
  result.refused.reason = why.what;
  result.refused.message = why.message;
  result.__isset.refused = true;
  write(out, T_REPLY, result);
}

Result<NodeIdentity> decode_welcome(ByteView frame) {
  idl::Peer_hello_result result;
  RW_TRY(read(frame, T_REPLY, result));
  if (result.__isset.refused)
    return Status{Code::mismatch, result.refused.reason + ": " + result.refused.message};
  if (!result.__isset.success) return Status{Code::corrupt, "the hello has no answer"};
  return identity_of(result.success.server);
}

std::size_t begin_batch(Bytes& out) {
  const std::size_t at = binary::begin_frame(out);
  out += batch_head();
  out.append(length_bytes + checksum_bytes, '\0');
  return at;
}

void append_message(Bytes& out, ByteView unguarded) {
  put_u32(out, static_cast<std::uint32_t>(unguarded.size()));
  out += unguarded;
}

void end_batch(Bytes& out, std::size_t at) {
  const std::size_t length_at = at + binary::frame_head_bytes + batch_head().size();
  const std::size_t checksum_at = length_at + length_bytes;
  Bytes length;
  binary::put_i32(length, static_cast<std::uint32_t>(out.size() - checksum_at));
  out.replace(length_at, length_bytes, length);
  set_u32(out, checksum_at, checksum32(ByteView(out).substr(checksum_at + checksum_bytes)));
  binary::put_stop(out);
  binary::end_frame(out, at);
}

BatchReader::BatchReader(ByteView frame) {
  binary::Reader in(frame);
  const auto head = binary::take_message_head(in);
  const auto field = in.field();
  if (in.failed() || head.type != binary::MessageType::oneway || head.name != "deliver" ||
      field.id != 1 || field.type != binary::Type::bytes)
    return;
  rest_ = in.string();
  const auto end = in.field();
  is_batch_ = in.complete() && end.type == binary::Type::stop;
  if (!is_batch_) return;
  Decoder batch(rest_);
  const std::uint32_t checksum = batch.u32();
  rest_ = batch.rest();
  is_whole_ = !batch.failed() && checksum32(rest_) == checksum;
}

Result<StampedMessage> BatchReader::next() {
  // Before all else, so that damage is never taken for a newer release's message.
  if (!is_whole_)
    return Status{Code::corrupt, "the batch fails its checksum: damaged or cut short"};
  Decoder in(rest_);
  const ByteView message = in.take(in.u32());
  if (in.failed()) return Status{Code::corrupt, "a message of the batch is cut short"};
  rest_ = in.rest();
  return decode_unguarded(message);
}

}  // namespace ringwright::wire::peer
