// Every struct of both interface files, read as a call and as an answer, in the strict binary and
// in the compact protocol, by both codecs, which must agree.
#include "plugins/thrift/fast_codec.h"
#include "plugins/thrift/generated_codec.h"
#include "plugins/thrift/peer_codec.h"
#include "tests/fuzz/thrift/fuzzed.h"

namespace ringwright::wire {
namespace {

// What the hand-written codec reads the generated one reads too, and as the same.
void compare_requests(ByteView frame) {
  binary::Reader in(frame);
  const auto head = binary::take_message_head(in);
  if (in.failed() || head.type != binary::MessageType::call) return;
  Status problem;
  GetCall get;
  PutCall put;
  const bool is_get = head.name == "get";
  bool is_read = false;
  if (is_get) is_read = fast::read_get(in, get, problem);
  if (head.name == "put") is_read = fast::read_put(in, put, problem);
  if (head.name == "remove") is_read = fast::read_remove(in, put, problem);
  if (!is_read) return;
  const auto other = generated::decode_call(frame, Protocol::binary);
  must(other.has_value());
  must(other->sequence == head.sequence);
  must(other->problem.code() == problem.code());
  if (!problem.is_ok()) return;
  Bytes again;
  if (is_get) {
    must(std::get<GetCall>(other->call).request == get.request);
    must(std::get<GetCall>(other->call).request_id == get.request_id);
    fast::write_get_call(again, head.sequence, get.request_id, get.request);
  } else {
    must(std::get<PutCall>(other->call).request == put.request);
    must(std::get<PutCall>(other->call).request_id == put.request_id);
    fast::write_put_call(again, head.sequence, put.request_id, put.request);
  }
  const auto third = generated::decode_call(ByteView(again).substr(4), Protocol::binary);
  must(third.has_value() && third->problem.is_ok());
  if (is_get)
    must(std::get<GetCall>(third->call).request == get.request);
  else
    must(std::get<PutCall>(third->call).request == put.request);
}

void read_answers(ByteView frame, const ClusterMap& map) {
  for (const bool is_get : {true, false}) {
    binary::Reader in(frame);
    const auto head = binary::take_message_head(in);
    if (in.failed()) return;
    const auto reply =
        is_get ? fast::read_get_reply(in, *map.ring) : fast::read_put_reply(in, *map.ring);
    if (!reply) continue;
    Bytes out;
    if (is_get)
      fast::write_get_reply(out, head.sequence, reply->request_id, reply->reply, *map.ring);
    else
      fast::write_put_reply(out, Method::put, head.sequence, reply->request_id, reply->reply,
                            *map.ring);
    Bytes other;
    if (is_get)
      generated::encode_get_reply(other, Protocol::binary, head.sequence, reply->request_id,
                                  reply->reply, *map.ring);
    else
      generated::encode_put_reply(other, Protocol::binary, Method::put, head.sequence,
                                  reply->request_id, reply->reply, *map.ring);
    must(out == other);
  }
}

}  // namespace
}  // namespace ringwright::wire

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ringwright;
  using namespace ringwright::wire;
  static const auto map = fuzzed_map();
  const ByteView frame = view_of(data, size);
  Protocol protocol = Protocol::binary;
  if (!generated::sniff(frame, protocol)) return 0;
  generated::decode_head(frame, protocol).has_value();
  generated::decode_call(frame, protocol).has_value();
  if (protocol == Protocol::compact) return 0;
  compare_requests(frame);
  read_answers(frame, *map);
  generated::decode_hello_reply(frame).has_value();
  generated::decode_topology_reply(frame, "lab").has_value();
  if (const auto hello = peer::decode_hello(frame)) {
    Bytes again;
    peer::encode_hello(again, *hello);
    must(peer::decode_hello(ByteView(again).substr(4))->caller == hello->caller);
    static_cast<void>(find_mismatch(map->identity_of(0), hello->caller));
  }
  peer::decode_welcome(frame).has_value();
  return 0;
}
