// Writes the messages that fuzzing starts from: one file each, into a folder for each target.
#include <filesystem>
#include <fstream>
#include <string>

#include "plugins/thrift/fast_codec.h"
#include "plugins/thrift/generated_codec.h"
#include "plugins/thrift/peer_codec.h"
#include "plugins/thrift/thrift_memory.h"
#include "tests/fuzz/thrift/fuzzed.h"
#include "thrift_generated/KV.h"

namespace ringwright::wire {
namespace {

std::filesystem::path root;
int count = 0;

void keep(const char* target, ByteView bytes) {
  std::filesystem::create_directories(root / target);
  std::ofstream out(root / target / ("seed" + std::to_string(++count)), std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// A frame, for all targets that read frames.
void keep_frame(ByteView frame) {
  keep("codecs", frame.substr(4));
  keep("client_session", Bytes(frame) + Bytes(frame));
  keep("frame_connection", Bytes("\4\x04\xff\x07\x30", 5) + Bytes(frame) + Bytes(frame));
  keep("messages", frame.substr(4));
}

template <template <typename> typename ProtocolOf, typename Arguments>
void keep_call(const std::string& method, const Arguments& arguments) {
  Bytes out;
  const std::size_t frame = binary::begin_frame(out);
  ProtocolOf<OutputMemory> to(std::make_shared<OutputMemory>(out));
  to.writeMessageBegin(method, apache::thrift::protocol::T_CALL, 5);
  arguments.write(&to);
  binary::end_frame(out, frame);
  keep_frame(out);
}

template <template <typename> typename ProtocolOf>
void keep_calls() {
  idl::KV_hello_args hello;
  hello.info.protocol_level = 1;
  hello.info.protocol_level_min = 1;
  hello.info.unordered_replies = true;
  keep_call<ProtocolOf>("hello", hello);
  idl::KV_get_args get;
  get.request.request_id = 1;
  get.request.key = "key";
  get.request.__set_keyspace("default");
  get.request.__set_r(2);
  get.request.__set_timeout_ms(100);
  get.request.__set_traceparent("00-ab");
  keep_call<ProtocolOf>("get", get);
  idl::KV_put_args put;
  put.request.request_id = 2;
  put.request.key = "key";
  put.request.value = "value";
  put.request.__set_context("context");
  put.request.__set_consistency(idl::Consistency::QUORUM);
  put.request.__set_ttl_ms(1000);
  put.request.__set_client_id("0123456789abcdef");
  keep_call<ProtocolOf>("put", put);
  idl::KV_remove_args remove;
  remove.request.request_id = 3;
  remove.request.key = "key";
  remove.request.__set_context("context");
  remove.request.__set_w(1);
  keep_call<ProtocolOf>("remove", remove);
  idl::KV_get_many_args gets;
  gets.request.request_id = 4;
  gets.request.keys = {"a", "b", "a"};
  keep_call<ProtocolOf>("get_many", gets);
  idl::KV_put_many_args puts;
  puts.request.request_id = 5;
  puts.request.items.resize(2);
  puts.request.items[0].key = "a";
  puts.request.items[1].__set_remove(true);
  keep_call<ProtocolOf>("put_many", puts);
  idl::KV_topology_args topology;
  topology.request.request_id = 6;
  keep_call<ProtocolOf>("topology", topology);
}

void keep_answers() {
  const auto map = fuzzed_map();
  ClientReply reply;
  reply.key = "key";
  reply.coordinator = NodeId{7, 2};
  reply.siblings.push_back({"value", Dot{Actor{NodeId{7, 1}, 2, 3}, 4}, 99 << 16});
  reply.context = "context";
  for (const Outcome outcome : {Outcome::ok, Outcome::failed, Outcome::unknown}) {
    reply.outcome = outcome;
    reply.code = outcome == Outcome::ok ? Code::ok : Code::timed_out;
    Bytes get;
    fast::write_get_reply(get, 1, 2, reply, *map->ring);
    keep_frame(get);
    Bytes put;
    fast::write_put_reply(put, Method::put, 1, 2, reply, *map->ring);
    keep_frame(put);
  }
  Bytes out;
  generated::encode_hello_reply(out, Protocol::binary, 1, {1, "lab", "node1", "1", 15, true});
  keep_frame(out);
  out.clear();
  generated::encode_topology_reply(out, Protocol::binary, 1, 2, *map);
  keep_frame(out);
  out.clear();
  peer::encode_hello(out, {map->identity_of(0), NodeId{7, 2}});
  keep_frame(out);
  out.clear();
  peer::encode_welcome(out, map->identity_of(0), 1);
  keep_frame(out);
  out.clear();
  peer::encode_refusal(out, {"cluster", "another one"});
  keep_frame(out);

  GetRequest get;
  get.key = "key";
  PutRequest put;
  put.key = "key";
  put.value = "value";
  put.request = {1, 2, 3};
  ReplicaWrite write;
  write.key = "key";
  write.record = "record";
  ReplicaReadReply read;
  read.record = "record";
  Fragment piece;
  piece.bytes = "piece";
  out.clear();
  const std::size_t at = peer::begin_batch(out);
  for (const Message& message :
       std::vector<Message>{get, put, reply, ReplicaRead{}, read, write, ReplicaWriteReply{},
                            Ping{}, Pong{}, piece, ReplicaWriteAcks{{1, 2, 3}}}) {
    Bytes encoded;
    append_unguarded(encoded, 5, message);
    keep("messages", encoded);
    peer::append_message(out, encoded);
  }
  peer::end_batch(out, at);
  keep_frame(out);
}

}  // namespace
}  // namespace ringwright::wire

int main(int argc, char** argv) {
  using namespace ringwright::wire;
  if (argc != 2) return 2;
  root = argv[1];
  keep_calls<BinaryProtocol>();
  keep_calls<CompactProtocol>();
  keep_answers();
  return 0;
}
