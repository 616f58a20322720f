#include "plugins/thrift/calls.h"

#include <algorithm>
#include <array>
#include <limits>

#include "engine/base/limits.h"

namespace ringwright::wire {
namespace {

constexpr std::array<std::string_view, 7> method_names = {
    "hello", "get", "put", "remove", "get_many", "put_many", "topology"};
constexpr std::size_t client_id_bytes = 16;
// What an overloaded node asks its clients to wait.
constexpr std::int64_t retry_after_ms = 50;

// Certainly no effect, and the cause passes by itself or another node may do better.
bool passes(Code code) {
  switch (code) {
    case Code::unavailable:
    case Code::timed_out:
    case Code::overloaded:
    case Code::would_block:
    case Code::busy:
    case Code::closed:
      return true;
    default:
      return false;
  }
}

std::int64_t retry_after(Code code) {
  return code == Code::overloaded || code == Code::busy ? retry_after_ms : 0;
}

}  // namespace

std::string_view method_name(Method method) {
  return method_names[static_cast<std::size_t>(method)];
}

std::optional<Method> find_method(ByteView name) {
  const auto at = std::find(method_names.begin(), method_names.end(), name);
  if (at == method_names.end()) return std::nullopt;
  return static_cast<Method>(at - method_names.begin());
}

Result<Level> level_of(const LevelFields& fields, const char* count_name) {
  const std::int32_t named = fields.consistency.value_or(0);
  if (fields.count && named != 0)
    return Status{Code::invalid,
                  std::string("both ") + count_name + " and consistency are set: give one of them"};
  if (fields.count) {
    if (*fields.count >= 1 && *fields.count <= static_cast<std::int32_t>(limits::replicas_max))
      return Level{static_cast<std::uint8_t>(*fields.count)};
    return Status{Code::invalid, std::string(count_name) + " = " + std::to_string(*fields.count) +
                                     ": ask for 1 to n replicas"};
  }
  if (named == 0) return Level{};
  if (named >= 1 && named <= Level::all - Level::one + 1)
    return Level{static_cast<std::uint8_t>(Level::one + named - 1)};
  return Status{Code::invalid,
                "consistency " + std::to_string(named) + " is not known to this node"};
}

LevelFields fields_of(Level level) {
  if (level.value == Level::by_default) return {};
  if (level.value < Level::one) return {level.value, std::nullopt};
  return {std::nullopt, level.value - Level::one + 1};
}

Result<Nanoseconds> timeout_of(std::optional<std::int32_t> timeout_ms) {
  if (!timeout_ms) return Nanoseconds{0};
  if (*timeout_ms > 0) return milliseconds(*timeout_ms);
  return Status{Code::invalid, "timeout_ms = " + std::to_string(*timeout_ms) +
                                   ": give at least 1, or leave it out"};
}

Result<std::uint64_t> ttl_us_of(std::optional<std::int64_t> ttl_ms) {
  if (!ttl_ms) return std::uint64_t{0};
  if (*ttl_ms > 0 && *ttl_ms <= std::numeric_limits<std::int64_t>::max() / 1'000'000)
    return static_cast<std::uint64_t>(*ttl_ms) * 1000;
  return Status{Code::invalid, "ttl_ms = " + std::to_string(*ttl_ms) +
                                   ": give at least 1, or leave it out to keep the value"};
}

Result<RequestId> request_of(std::optional<ByteView> client, std::int64_t request_id) {
  if (!client || client->empty()) return RequestId{};
  if (client->size() != client_id_bytes)
    return Status{Code::invalid, "client_id has " + std::to_string(client->size()) +
                                     " bytes: draw 16 random ones, once for each client"};
  Decoder in(*client);
  RequestId request;
  request.client_high = in.u64_big_endian();
  request.client_low = in.u64_big_endian();
  request.sequence = static_cast<std::uint64_t>(request_id);
  return request;
}

Bytes client_bytes_of(const RequestId& request) {
  Bytes out;
  put_u64_big_endian(out, request.client_high);
  put_u64_big_endian(out, request.client_low);
  return out;
}

std::int32_t milliseconds_of(Nanoseconds timeout) {
  const Nanoseconds rounded_up = (timeout + milliseconds(1) - 1) / milliseconds(1);
  return static_cast<std::int32_t>(
      std::clamp<Nanoseconds>(rounded_up, 1, std::numeric_limits<std::int32_t>::max()));
}

Bytes event_of(const Dot& dot) {
  Bytes out;
  if (dot.counter == 0) return out;
  put_actor(out, dot.actor);
  put_varint(out, dot.counter);
  return out;
}

std::optional<Dot> dot_of(ByteView event) {
  if (event.empty()) return Dot{};
  Decoder in(event);
  Dot dot;
  dot.actor = take_actor(in);
  dot.counter = in.varint();
  if (!in.complete()) return std::nullopt;
  return dot;
}

ErrorFields error_of(const ClientReply& reply, std::int64_t request_id, bool is_write) {
  ErrorFields error;
  error.code = reply.code;
  error.message = reply.message;
  error.required = reply.required;
  error.received = reply.received;
  // A get has no effect that could be in doubt.
  error.outcome_unknown = is_write && reply.outcome == Outcome::unknown;
  error.retryable = !error.outcome_unknown && passes(reply.code);
  error.retry_after_ms = retry_after(reply.code);
  error.request_id = request_id;
  error.key = reply.key;
  return error;
}

ErrorFields error_of(const Status& status, std::int64_t request_id, ByteView key) {
  ErrorFields error;
  error.code = status.code();
  error.message = status.message();
  error.retryable = passes(status.code());
  error.retry_after_ms = retry_after(status.code());
  error.request_id = request_id;
  error.key = key;
  return error;
}

std::string_view node_name(const Ring& ring, const NodeId& id, std::string& buffer) {
  for (const Member& member : ring.members())
    if (member.id == id) return member.name;
  buffer = id == NodeId{} ? std::string() : to_string(id);
  return buffer;
}

NodeId node_named(const Ring& ring, ByteView name) {
  for (const Member& member : ring.members())
    if (member.name == name) return member.id;
  return {};
}

}  // namespace ringwright::wire
