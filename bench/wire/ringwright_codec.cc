#include <array>
#include <cstdio>

#include "bench/wire/client_codec.h"
#include "bench/wire/kv_messages.h"
#include "plugins/thrift/binary.h"

namespace ringwright::bench {
namespace {

using binary::Type;

constexpr std::uint32_t hello_sequence = 0x7fffffff;
constexpr std::uint32_t protocol_level = 1;

std::string error_name(std::uint32_t code) {
  if (code == 0) return "unspecified";
  // The protocol's numbers are those of Code.
  if (code <= static_cast<std::uint32_t>(Code::mismatch))
    return std::string(code_name(static_cast<Code>(code)));
  return "code " + std::to_string(code);
}

class RingwrightCodec final : public ClientCodec {
 public:
  explicit RingwrightCodec(RingwrightCodecOptions options) : options_(std::move(options)) {}

  void begin(Bytes& out) override {
    if (!options_.unordered_replies) return;
    const std::size_t frame = binary::begin_frame(out);
    binary::put_message_head(out, binary::MessageType::call, "hello", hello_sequence);
    binary::put_field(out, Type::structure, 1);
    binary::put_i32_field(out, 1, protocol_level);
    binary::put_i32_field(out, 2, protocol_level);
    binary::put_string_field(out, 3, "load client");
    binary::put_bool_field(out, 4, true);
    binary::put_stop(out);
    binary::put_stop(out);
    binary::end_frame(out, frame);
  }

  void put(const Request& request, Bytes& out) override {
    const std::size_t frame = begin_request(out, "put", request);
    binary::put_string_field(out, 3, request.value);
    if (!request.context.empty()) binary::put_string_field(out, 4, request.context);
    if (!options_.keyspace.empty()) binary::put_string_field(out, 5, options_.keyspace);
    end_request(out, frame);
  }

  void get(const Request& request, Bytes& out) override {
    const std::size_t frame = begin_request(out, "get", request);
    if (!options_.keyspace.empty()) binary::put_string_field(out, 3, options_.keyspace);
    end_request(out, frame);
  }

  void end_burst(Bytes&) override {}

  Result<std::size_t> decode(ByteView in, std::vector<Reply>& replies) override {
    std::size_t taken = 0;
    for (;;) {
      const auto size = whole_frame(in.substr(taken));
      if (!size) return size.error();
      if (*size == 0 || taken + *size > in.size()) return taken;
      const std::size_t body = *size - binary::frame_head_bytes;
      RW_TRY(decode_frame(in.substr(taken + binary::frame_head_bytes, body), replies));
      taken += *size;
    }
  }

 private:
  static std::size_t begin_request(Bytes& out, ByteView name, const Request& request) {
    const std::size_t frame = binary::begin_frame(out);
    binary::put_message_head(out, binary::MessageType::call, name, request.slot);
    binary::put_field(out, Type::structure, 1);
    binary::put_i64_field(out, 1, static_cast<std::uint64_t>(request.request_id));
    binary::put_string_field(out, 2, request.key);
    return frame;
  }

  static void end_request(Bytes& out, std::size_t frame) {
    binary::put_stop(out);
    binary::put_stop(out);
    binary::end_frame(out, frame);
  }

  Status decode_frame(ByteView frame, std::vector<Reply>& replies) {
    binary::Reader in(frame);
    const binary::MessageHead head = binary::take_message_head(in);
    if (in.failed() || head.type == binary::MessageType::call)
      return {Code::invalid, "what the node sent is no reply of the service KV"};
    if (head.type == binary::MessageType::exception) return refused(in, head.name);
    if (head.name == "hello") return decode_hello(in);
    Reply reply;
    reply.slot = head.sequence;
    reply.operation = head.name == "get" ? Operation::get : Operation::put;
    reply.echoed = true;
    bool answered = false;
    for (auto at = in.field(); at.type != Type::stop; at = in.field()) {
      if (at.type == Type::structure && at.id == 0) {
        reply.operation == Operation::get ? read_get(in, reply) : read_put(in, reply);
        answered = true;
      } else if (at.type == Type::structure && at.id == 1) {
        read_error(in, reply);
        answered = true;
      } else {
        in.skip(at.type);
      }
    }
    if (in.failed() || !answered) return {Code::invalid, "a reply that cannot be read"};
    replies.push_back(std::move(reply));
    return ok_status();
  }

  // An answer of the protocol's own: the call never reached the service.
  static Status refused(binary::Reader& in, ByteView name) {
    std::string message;
    for (auto at = in.field(); at.type != Type::stop; at = in.field()) {
      if (at.type == Type::bytes && at.id == 1)
        message = in.string();
      else
        in.skip(at.type);
    }
    return {Code::invalid, "the node refused the call " + std::string(name) + ": " + message};
  }

  Status decode_hello(binary::Reader& in) {
    bool unordered = false;
    for (auto at = in.field(); at.type != Type::stop; at = in.field()) {
      if (at.type != Type::structure || at.id != 0) {
        in.skip(at.type);
        continue;
      }
      for (auto inner = in.field(); inner.type != Type::stop; inner = in.field()) {
        if (inner.type == Type::boolean && inner.id == 6)
          unordered = in.boolean();
        else
          in.skip(inner.type);
      }
    }
    if (in.failed() || !unordered)
      return {Code::mismatch, "the node does not agree to replies out of order"};
    return ok_status();
  }

  static void read_put(binary::Reader& in, Reply& reply) {
    for (auto at = in.field(); at.type != Type::stop; at = in.field()) {
      if (at.id == 1 && at.type == Type::i64)
        reply.request_id = static_cast<std::int64_t>(in.i64());
      else if (at.id == 2 && at.type == Type::bytes)
        reply.key = in.string();
      else if (at.id == 3 && at.type == Type::bytes)
        reply.context = in.string();
      else
        in.skip(at.type);
    }
  }

  static void read_get(binary::Reader& in, Reply& reply) {
    for (auto at = in.field(); at.type != Type::stop; at = in.field()) {
      if (at.id == 1 && at.type == Type::i64)
        reply.request_id = static_cast<std::int64_t>(in.i64());
      else if (at.id == 2 && at.type == Type::bytes)
        reply.key = in.string();
      else if (at.id == 3 && at.type == Type::list)
        read_siblings(in, reply);
      else if (at.id == 4 && at.type == Type::bytes)
        reply.context = in.string();
      else
        in.skip(at.type);
    }
  }

  static void read_siblings(binary::Reader& in, Reply& reply) {
    reply.values = in.list(Type::structure, 1);
    for (std::size_t i = 0; i < reply.values && !in.failed(); ++i) {
      for (auto at = in.field(); at.type != Type::stop; at = in.field()) {
        if (at.id == 1 && at.type == Type::bytes && i == 0)
          reply.value = in.string();
        else
          in.skip(at.type);
      }
    }
  }

  static void read_error(binary::Reader& in, Reply& reply) {
    std::uint32_t code = 0;
    for (auto at = in.field(); at.type != Type::stop; at = in.field()) {
      if (at.id == 1 && at.type == Type::i32)
        code = in.i32();
      else if (at.id == 2 && at.type == Type::bytes)
        reply.error_message = in.string();
      else if (at.id == 8 && at.type == Type::i64)
        reply.request_id = static_cast<std::int64_t>(in.i64());
      else if (at.id == 9 && at.type == Type::bytes)
        reply.key = in.string();
      else
        in.skip(at.type);
    }
    reply.error = error_name(code);
  }

  const RingwrightCodecOptions options_;
};

}  // namespace

std::unique_ptr<ClientCodec> make_ringwright_codec(RingwrightCodecOptions options) {
  return std::make_unique<RingwrightCodec>(std::move(options));
}

}  // namespace ringwright::bench
