#include "bench/wire/kv_messages.h"

#include "engine/base/limits.h"
#include "plugins/thrift/binary.h"

namespace ringwright::bench {
namespace {

using binary::Type;

void begin_reply(Bytes& out, ByteView name, std::uint32_t sequence) {
  binary::put_message_head(out, binary::MessageType::reply, name, sequence);
  binary::put_field(out, Type::structure, 0);
}

void end_reply(Bytes& out) {
  binary::put_stop(out);  // of the response
  binary::put_stop(out);  // of the call's result
}

void read_request(binary::Reader& in, Call& call) {
  for (auto at = in.field(); at.type != Type::stop; at = in.field()) {
    if (at.id == 1 && at.type == Type::i64) {
      call.request_id = static_cast<std::int64_t>(in.i64());
    } else if (at.id == 2 && at.type == Type::bytes) {
      call.key = in.string();
    } else if (at.id == 3 && at.type == Type::bytes && call.kind == CallKind::put) {
      call.value = in.string();
    } else {
      in.skip(at.type);
    }
  }
}

}  // namespace

Result<Call> decode_call(ByteView frame) {
  binary::Reader in(frame);
  const binary::MessageHead head = binary::take_message_head(in);
  Call call;
  call.name = head.name;
  call.sequence = head.sequence;
  if (head.name == "put") call.kind = CallKind::put;
  if (head.name == "get") call.kind = CallKind::get;
  if (head.name == "hello") call.kind = CallKind::hello;
  for (auto at = in.field(); at.type != Type::stop; at = in.field()) {
    const bool is_request = at.id == 1 && at.type == Type::structure;
    if (is_request && (call.kind == CallKind::put || call.kind == CallKind::get)) {
      read_request(in, call);
    } else {
      in.skip(at.type);
    }
  }
  if (in.failed() || head.type != binary::MessageType::call)
    return Status(Code::invalid, "a frame that holds no call of the service KV");
  return call;
}

void encode_put_reply(Bytes& out, std::uint32_t sequence, std::int64_t request_id, ByteView key) {
  const std::size_t frame = binary::begin_frame(out);
  begin_reply(out, "put", sequence);
  binary::put_i64_field(out, 1, static_cast<std::uint64_t>(request_id));
  binary::put_string_field(out, 2, key);
  end_reply(out);
  binary::end_frame(out, frame);
}

void encode_get_reply(Bytes& out, std::uint32_t sequence, std::int64_t request_id, ByteView key,
                      const Bytes* value) {
  const std::size_t frame = binary::begin_frame(out);
  begin_reply(out, "get", sequence);
  binary::put_i64_field(out, 1, static_cast<std::uint64_t>(request_id));
  binary::put_string_field(out, 2, key);
  binary::put_field(out, Type::list, 3);
  out.push_back(static_cast<char>(Type::structure));
  binary::put_i32(out, value == nullptr ? 0 : 1);
  if (value != nullptr) {
    binary::put_string_field(out, 1, *value);
    binary::put_stop(out);
  }
  end_reply(out);
  binary::end_frame(out, frame);
}

void encode_hello_reply(Bytes& out, std::uint32_t sequence) {
  const std::size_t frame = binary::begin_frame(out);
  begin_reply(out, "hello", sequence);
  binary::put_i32_field(out, 1, 1);
  binary::put_bool_field(out, 6, true);
  end_reply(out);
  binary::end_frame(out, frame);
}

void encode_unknown_call(Bytes& out, std::uint32_t sequence, ByteView name) {
  constexpr std::uint32_t unknown_method = 1;
  const std::size_t frame = binary::begin_frame(out);
  binary::put_message_head(out, binary::MessageType::exception, name, sequence);
  binary::put_string_field(out, 1, "this stand-in answers put, get and hello only");
  binary::put_i32_field(out, 2, unknown_method);
  binary::put_stop(out);
  binary::end_frame(out, frame);
}

Result<std::size_t> whole_frame(ByteView in) {
  if (in.size() < binary::frame_head_bytes) return std::size_t{0};
  const std::uint32_t size = binary::frame_size(in.data());
  if (size == 0 || size > limits::frame_bytes_max)
    return Status(Code::invalid, "a frame of " + std::to_string(size) + " bytes");
  return binary::frame_head_bytes + size;
}

}  // namespace ringwright::bench
