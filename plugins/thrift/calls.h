#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "replication/ring/ring.h"
#include "replication/transport/message.h"

// What clients ask and are told over Thrift, apart from its bytes: both codecs read and write
// these.
namespace ringwright::wire {

constexpr std::uint32_t protocol_level_min = 1;
constexpr std::uint32_t protocol_level = 1;
constexpr std::string_view default_keyspace = "default";

enum class Method : std::uint8_t { hello, get, put, remove, get_many, put_many, topology };
std::string_view method_name(Method method);
std::optional<Method> find_method(ByteView name);

struct HelloCall {
  std::uint32_t level_max = 0;
  std::uint32_t level_min = 0;
  std::string name;
  bool unordered_replies = false;
};

// `operation` of the requests is the transport's to fill in.
struct GetCall {
  std::int64_t request_id = 0;
  GetRequest request;
};
// A put or a remove.
struct PutCall {
  std::int64_t request_id = 0;
  PutRequest request;
};
struct GetManyCall {
  std::int64_t request_id = 0;
  std::vector<GetRequest> requests;
};
struct PutManyCall {
  std::int64_t request_id = 0;
  std::vector<PutRequest> requests;
};
struct TopologyCall {
  std::int64_t request_id = 0;
};

// A call that could be read; `problem` when it means nothing that can be done.
struct AnyCall {
  Method method = Method::hello;
  std::uint32_t sequence = 0;
  std::variant<HelloCall, GetCall, PutCall, GetManyCall, PutManyCall, TopologyCall> call;
  Status problem;
};

// Fields as they come, before they mean anything.
struct LevelFields {
  std::optional<std::int32_t> count;
  std::optional<std::int32_t> consistency;
};
Result<Level> level_of(const LevelFields& fields, const char* count_name);
LevelFields fields_of(Level level);
Result<Nanoseconds> timeout_of(std::optional<std::int32_t> timeout_ms);
Result<std::uint64_t> ttl_us_of(std::optional<std::int64_t> ttl_ms);
// `client` is 16 bytes or absent: then the request has no id that would be remembered.
Result<RequestId> request_of(std::optional<ByteView> client, std::int64_t request_id);
Bytes client_bytes_of(const RequestId& request);
std::int32_t milliseconds_of(Nanoseconds timeout);
// The opaque name of a put, empty for none; nullopt for bytes that are no such name.
Bytes event_of(const Dot& dot);
std::optional<Dot> dot_of(ByteView event);

// The exception, as fields.
struct ErrorFields {
  Code code = Code::ok;
  ByteView message;
  bool retryable = false;
  std::uint32_t required = 0;
  std::uint32_t received = 0;
  bool outcome_unknown = false;
  std::int64_t retry_after_ms = 0;
  std::int64_t request_id = 0;
  ByteView key;
};
// Views into the reply.
ErrorFields error_of(const ClientReply& reply, std::int64_t request_id, bool is_write);
ErrorFields error_of(const Status& status, std::int64_t request_id, ByteView key);

// Of a node of the ring its name, of another one its UUID, of none nothing.
std::string_view node_name(const Ring& ring, const NodeId& id, std::string& buffer);
NodeId node_named(const Ring& ring, ByteView name);

}  // namespace ringwright::wire
