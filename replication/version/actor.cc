#include "replication/version/actor.h"

namespace ringwright {
namespace {

std::string hex(std::uint64_t value, int digits) {
  constexpr char alphabet[] = "0123456789abcdef";
  std::string text(static_cast<std::size_t>(digits), '0');
  for (int i = digits - 1; i >= 0; --i, value >>= 4)
    text[static_cast<std::size_t>(i)] = alphabet[value & 15];
  return text;
}

}  // namespace

std::string to_string(const NodeId& id) {
  return hex(id.high >> 32, 8) + "-" + hex(id.high >> 16 & 0xffff, 4) + "-" +
         hex(id.high & 0xffff, 4) + "-" + hex(id.low >> 48, 4) + "-" + hex(id.low, 12);
}

std::string to_string(const Actor& actor) {
  return to_string(actor.node) + "/" + hex(actor.start, 16) + "/" + std::to_string(actor.birth);
}

std::string to_string(const Dot& dot) {
  return to_string(dot.actor) + ":" + std::to_string(dot.counter);
}

void put_node_id(Bytes& out, const NodeId& id) {
  put_u64_big_endian(out, id.high);
  put_u64_big_endian(out, id.low);
}

NodeId take_node_id(Decoder& in) {
  NodeId id;
  id.high = in.u64_big_endian();
  id.low = in.u64_big_endian();
  return id;
}

void put_actor(Bytes& out, const Actor& actor) {
  put_node_id(out, actor.node);
  put_u64(out, actor.start);
  put_varint(out, actor.birth);
}

Actor take_actor(Decoder& in) {
  Actor actor;
  actor.node = take_node_id(in);
  actor.start = in.u64();
  actor.birth = in.varint();
  return actor;
}

void put_request_id(Bytes& out, const RequestId& id) {
  put_u64(out, id.client_high);
  put_u64(out, id.client_low);
  put_varint(out, id.sequence);
}

RequestId take_request_id(Decoder& in) {
  RequestId id;
  id.client_high = in.u64();
  id.client_low = in.u64();
  id.sequence = in.varint();
  return id;
}

}  // namespace ringwright
