#include "plugins/thrift/generated_codec.h"

#include <thrift/TApplicationException.h>

#include <exception>
#include <utility>

#include "engine/base/limits.h"
#include "plugins/thrift/thrift_memory.h"
#include "replication/version/hlc.h"
#include "thrift_generated/KV.h"

namespace ringwright::wire::generated {
namespace {

using apache::thrift::protocol::T_CALL;
using apache::thrift::protocol::T_EXCEPTION;
using apache::thrift::protocol::T_REPLY;
using apache::thrift::protocol::TMessageType;

constexpr char strict_binary_byte = '\x80';
constexpr char compact_byte = '\x82';

// Calls `read` with the protocol over the frame; whatever the library throws becomes `corrupt`.
template <typename Read>
auto reading(ByteView frame, Protocol protocol, std::int32_t elements_max, const Read& read)
    -> decltype(read(std::declval<BinaryProtocol<InputMemory>&>())) {
  try {
    const auto memory = std::make_shared<InputMemory>(frame, memory_limits(frame.size() + 1));
    const auto string_max = static_cast<std::int32_t>(frame.size());
    if (protocol == Protocol::binary) {
      BinaryProtocol<InputMemory> in(memory, string_max, elements_max, true, true);
      return read(in);
    }
    CompactProtocol<InputMemory> in(memory, string_max, elements_max);
    return read(in);
  } catch (const std::exception& thrown) {
    return Status{Code::corrupt, std::string("the frame is malformed: ") + thrown.what()};
  }
}

// Appends a frame with one message of what `write` writes.
template <typename Write>
void writing(Bytes& out, Protocol protocol, std::string_view method, TMessageType type,
             std::uint32_t sequence, const Write& write) {
  const std::size_t frame = binary::begin_frame(out);
  const auto memory = std::make_shared<OutputMemory>(out);
  const auto message = [&](auto& to) {
    to.writeMessageBegin(std::string(method), type, static_cast<std::int32_t>(sequence));
    write(to);
    to.writeMessageEnd();
  };
  if (protocol == Protocol::binary) {
    BinaryProtocol<OutputMemory> to(memory);
    message(to);
  } else {
    CompactProtocol<OutputMemory> to(memory);
    message(to);
  }
  binary::end_frame(out, frame);
}

// --- requests ---

template <typename T>
void take(Result<T> result, T& into, Status& problem) {
  if (result)
    into = std::move(*result);
  else if (problem.is_ok())
    problem = result.error();
}

template <typename Request>
Bytes keyspace_of(const Request& request) {
  return request.__isset.keyspace ? request.keyspace : Bytes(default_keyspace);
}

template <typename Request>
LevelFields level_fields(const Request& request, bool has_count, std::int32_t count) {
  LevelFields fields;
  if (has_count) fields.count = count;
  if (request.__isset.consistency) fields.consistency = static_cast<int>(request.consistency);
  return fields;
}

template <typename Request>
Result<Nanoseconds> timeout_in(const Request& request) {
  return timeout_of(request.__isset.timeout_ms ? std::optional(request.timeout_ms) : std::nullopt);
}

template <typename Request>
Result<RequestId> request_in(const Request& request, std::int64_t request_id) {
  return request_of(
      request.__isset.client_id ? std::optional<ByteView>(request.client_id) : std::nullopt,
      request_id);
}

GetCall call_of(idl::GetRequest& from, Status& problem) {
  GetCall call;
  call.request_id = from.request_id;
  call.request.keyspace = keyspace_of(from);
  call.request.key = std::move(from.key);
  take(level_of(level_fields(from, from.__isset.r, from.r), "r"), call.request.r, problem);
  take(timeout_in(from), call.request.timeout, problem);
  return call;
}

PutCall call_of(idl::PutRequest& from, Status& problem) {
  PutCall call;
  call.request_id = from.request_id;
  PutRequest& request = call.request;
  request.keyspace = keyspace_of(from);
  request.key = std::move(from.key);
  request.value = std::move(from.value);
  request.context = std::move(from.context);
  take(level_of(level_fields(from, from.__isset.w, from.w), "w"), request.w, problem);
  take(timeout_in(from), request.timeout, problem);
  take(ttl_us_of(from.__isset.ttl_ms ? std::optional(from.ttl_ms) : std::nullopt), request.ttl_us,
       problem);
  take(request_in(from, from.request_id), request.request, problem);
  return call;
}

PutCall call_of(idl::RemoveRequest& from, Status& problem) {
  PutCall call;
  call.request_id = from.request_id;
  PutRequest& request = call.request;
  request.keyspace = keyspace_of(from);
  request.key = std::move(from.key);
  request.context = std::move(from.context);
  request.tombstone = true;
  take(level_of(level_fields(from, from.__isset.w, from.w), "w"), request.w, problem);
  take(timeout_in(from), request.timeout, problem);
  take(request_in(from, from.request_id), request.request, problem);
  return call;
}

GetManyCall call_of(idl::GetManyRequest& from, Status& problem) {
  GetManyCall call;
  call.request_id = from.request_id;
  GetRequest shared;
  shared.keyspace = keyspace_of(from);
  take(level_of(level_fields(from, from.__isset.r, from.r), "r"), shared.r, problem);
  take(timeout_in(from), shared.timeout, problem);
  for (std::string& key : from.keys) {
    call.requests.push_back(shared);
    call.requests.back().key = std::move(key);
  }
  return call;
}

PutManyCall call_of(idl::PutManyRequest& from, Status& problem) {
  PutManyCall call;
  call.request_id = from.request_id;
  PutRequest shared;
  shared.keyspace = keyspace_of(from);
  take(level_of(level_fields(from, from.__isset.w, from.w), "w"), shared.w, problem);
  take(timeout_in(from), shared.timeout, problem);
  take(ttl_us_of(from.__isset.ttl_ms ? std::optional(from.ttl_ms) : std::nullopt), shared.ttl_us,
       problem);
  // Ids wrap around rather than overflow.
  auto request_id = static_cast<std::uint64_t>(from.request_id);
  for (idl::PutItem& item : from.items) {
    call.requests.push_back(shared);
    PutRequest& request = call.requests.back();
    request.key = std::move(item.key);
    request.value = std::move(item.value);
    request.context = std::move(item.context);
    request.tombstone = item.remove;
    take(request_in(from, static_cast<std::int64_t>(request_id++)), request.request, problem);
  }
  return call;
}

// Reads the arguments of a method and makes of its request what `convert` does.
template <typename Arguments, typename In, typename Convert>
void read_arguments(In& in, AnyCall& call, const Convert& convert) {
  Arguments arguments;
  arguments.read(&in);
  call.call = convert(arguments);
}

template <typename In>
void read_call(In& in, AnyCall& call) {
  const auto converted = [&](auto& arguments) { return call_of(arguments.request, call.problem); };
  switch (call.method) {
    case Method::hello:
      return read_arguments<idl::KV_hello_args>(in, call, [](auto& arguments) {
        return HelloCall{static_cast<std::uint32_t>(arguments.info.protocol_level),
                         static_cast<std::uint32_t>(arguments.info.protocol_level_min),
                         std::move(arguments.info.name), arguments.info.unordered_replies};
      });
    case Method::get:
      return read_arguments<idl::KV_get_args>(in, call, converted);
    case Method::put:
      return read_arguments<idl::KV_put_args>(in, call, converted);
    case Method::remove:
      return read_arguments<idl::KV_remove_args>(in, call, converted);
    case Method::get_many:
      return read_arguments<idl::KV_get_many_args>(in, call, converted);
    case Method::put_many:
      return read_arguments<idl::KV_put_many_args>(in, call, converted);
    case Method::topology:
      return read_arguments<idl::KV_topology_args>(
          in, call, [](auto& arguments) { return TopologyCall{arguments.request.request_id}; });
  }
}

// --- answers ---

idl::KVError idl_of(const ErrorFields& from) {
  idl::KVError error;
  error.code = static_cast<idl::ErrorCode::type>(from.code);
  error.message = from.message;
  error.retryable = from.retryable;
  error.replicas_required = static_cast<std::int32_t>(from.required);
  error.replicas_received = static_cast<std::int32_t>(from.received);
  error.outcome_unknown = from.outcome_unknown;
  error.retry_after_ms = from.retry_after_ms;
  error.request_id = from.request_id;
  error.key = from.key;
  return error;
}

idl::GetResponse get_response(std::int64_t request_id, const ClientReply& reply, const Ring& ring) {
  std::string buffer;
  idl::GetResponse response;
  response.request_id = request_id;
  response.key = reply.key;
  for (const ShownSibling& sibling : reply.siblings) {
    idl::Sibling shown;
    shown.value = sibling.value;
    shown.timestamp_us = static_cast<std::int64_t>(wall_us_of(sibling.stamp));
    shown.origin = node_name(ring, sibling.dot.actor.node, buffer);
    shown.event = event_of(sibling.dot);
    response.siblings.push_back(std::move(shown));
  }
  response.context = reply.context;
  response.coordinator = node_name(ring, reply.coordinator, buffer);
  return response;
}

idl::PutResponse put_response(std::int64_t request_id, const ClientReply& reply, const Ring& ring) {
  std::string buffer;
  idl::PutResponse response;
  response.request_id = request_id;
  response.key = reply.key;
  response.context = reply.context;
  response.event = event_of(reply.dot);
  response.coordinator = node_name(ring, reply.coordinator, buffer);
  return response;
}

// The result struct of a method with its response set.
template <typename ResultStruct, typename Response>
void write_result(Bytes& out, Protocol protocol, Method method, std::uint32_t sequence,
                  Response response) {
  ResultStruct result;
  result.success = std::move(response);
  result.__isset.success = true;
  writing(out, protocol, method_name(method), T_REPLY, sequence,
          [&](auto& to) { result.write(&to); });
}

template <typename ResultStruct>
void write_error(Bytes& out, Protocol protocol, Method method, std::uint32_t sequence,
                 const ErrorFields& error) {
  ResultStruct result;
  result.error = idl_of(error);
  result.__isset.error = true;
  writing(out, protocol, method_name(method), T_REPLY, sequence,
          [&](auto& to) { result.write(&to); });
}

// What came behind the head of a reply: a response, an exception of ours, or one of Thrift's.
template <typename ResultStruct, typename In>
Result<decltype(ResultStruct::success)> read_result(In& in) {
  std::string name;
  TMessageType type = T_CALL;
  std::int32_t sequence = 0;
  in.readMessageBegin(name, type, sequence);
  if (type == T_EXCEPTION) {
    apache::thrift::TApplicationException thrown;
    thrown.read(&in);
    return Status{Code::mismatch,
                  std::string("the node does not answer to this: ") + thrown.what()};
  }
  ResultStruct result;
  result.read(&in);
  if (result.__isset.success) return std::move(result.success);
  if (!result.__isset.error) return Status{Code::corrupt, "the answer holds no result"};
  const auto code = static_cast<int>(result.error.code);
  const bool is_known = code > 0 && code <= static_cast<int>(Code::mismatch);
  return Status{is_known ? static_cast<Code>(code) : Code::unavailable, result.error.message};
}

}  // namespace

bool sniff(ByteView frame, Protocol& protocol) {
  if (frame.empty()) return false;
  protocol = frame.front() == compact_byte ? Protocol::compact : Protocol::binary;
  return frame.front() == compact_byte || frame.front() == strict_binary_byte;
}

Result<CallHead> decode_head(ByteView frame, Protocol protocol) {
  return reading(frame, protocol, container_elements_max, [&](auto& in) -> Result<CallHead> {
    CallHead head;
    TMessageType type = T_CALL;
    std::int32_t sequence = 0;
    in.readMessageBegin(head.method, type, sequence);
    head.sequence = static_cast<std::uint32_t>(sequence);
    head.is_call = type == T_CALL;
    return head;
  });
}

Result<AnyCall> decode_call(ByteView frame, Protocol protocol) {
  return reading(frame, protocol, container_elements_max, [&](auto& in) -> Result<AnyCall> {
    std::string name;
    TMessageType type = T_CALL;
    std::int32_t sequence = 0;
    in.readMessageBegin(name, type, sequence);
    const auto method = find_method(name);
    if (!method) return Status{Code::corrupt, "there is no method " + printable(name)};
    AnyCall call;
    call.method = *method;
    call.sequence = static_cast<std::uint32_t>(sequence);
    read_call(in, call);
    if (in.getTransport() && static_cast<InputMemory&>(*in.getTransport()).left() > 0)
      return Status{Code::corrupt, "the frame holds bytes behind its message"};
    return call;
  });
}

void encode_get_reply(Bytes& out, Protocol protocol, std::uint32_t sequence,
                      std::int64_t request_id, const ClientReply& reply, const Ring& ring) {
  if (reply.outcome != Outcome::ok)
    return encode_error(out, protocol, Method::get, sequence, error_of(reply, request_id, false));
  write_result<idl::KV_get_result>(out, protocol, Method::get, sequence,
                                   get_response(request_id, reply, ring));
}

void encode_put_reply(Bytes& out, Protocol protocol, Method method, std::uint32_t sequence,
                      std::int64_t request_id, const ClientReply& reply, const Ring& ring) {
  if (reply.outcome != Outcome::ok)
    return encode_error(out, protocol, method, sequence, error_of(reply, request_id, true));
  if (method == Method::put)
    write_result<idl::KV_put_result>(out, protocol, method, sequence,
                                     put_response(request_id, reply, ring));
  else
    write_result<idl::KV_remove_result>(out, protocol, method, sequence,
                                        put_response(request_id, reply, ring));
}

void encode_get_many_reply(Bytes& out, Protocol protocol, std::uint32_t sequence,
                           std::int64_t request_id, const std::vector<ClientReply>& replies,
                           const Ring& ring) {
  idl::GetManyResponse response;
  response.request_id = request_id;
  for (const ClientReply& reply : replies) {
    idl::GetResult& item = response.results.emplace_back();
    if (reply.outcome == Outcome::ok)
      item.__set_response(get_response(request_id, reply, ring));
    else
      item.__set_error(idl_of(error_of(reply, request_id, false)));
  }
  write_result<idl::KV_get_many_result>(out, protocol, Method::get_many, sequence,
                                        std::move(response));
}

void encode_put_many_reply(Bytes& out, Protocol protocol, std::uint32_t sequence,
                           std::int64_t request_id, const std::vector<ClientReply>& replies,
                           const Ring& ring) {
  idl::PutManyResponse response;
  response.request_id = request_id;
  for (const ClientReply& reply : replies) {
    idl::PutResult& item = response.results.emplace_back();
    if (reply.outcome == Outcome::ok)
      item.__set_response(put_response(request_id, reply, ring));
    else
      item.__set_error(idl_of(error_of(reply, request_id, true)));
  }
  write_result<idl::KV_put_many_result>(out, protocol, Method::put_many, sequence,
                                        std::move(response));
}

void encode_error(Bytes& out, Protocol protocol, Method method, std::uint32_t sequence,
                  const ErrorFields& error) {
  switch (method) {
    case Method::hello:
      return write_error<idl::KV_hello_result>(out, protocol, method, sequence, error);
    case Method::get:
      return write_error<idl::KV_get_result>(out, protocol, method, sequence, error);
    case Method::put:
      return write_error<idl::KV_put_result>(out, protocol, method, sequence, error);
    case Method::remove:
      return write_error<idl::KV_remove_result>(out, protocol, method, sequence, error);
    case Method::get_many:
      return write_error<idl::KV_get_many_result>(out, protocol, method, sequence, error);
    case Method::put_many:
      return write_error<idl::KV_put_many_result>(out, protocol, method, sequence, error);
    case Method::topology:
      return write_error<idl::KV_topology_result>(out, protocol, method, sequence, error);
  }
}

void encode_hello_reply(Bytes& out, Protocol protocol, std::uint32_t sequence,
                        const HelloAnswer& answer) {
  idl::ServerInfo info;
  info.protocol_level = static_cast<std::int32_t>(answer.level);
  info.cluster = answer.cluster;
  info.node = answer.node;
  info.version = answer.version;
  info.frame_bytes_max = static_cast<std::int32_t>(answer.frame_bytes_max);
  info.unordered_replies = answer.unordered_replies;
  write_result<idl::KV_hello_result>(out, protocol, Method::hello, sequence, std::move(info));
}

void encode_topology_reply(Bytes& out, Protocol protocol, std::uint32_t sequence,
                           std::int64_t request_id, const ClusterMap& map) {
  idl::TopologyResponse response;
  response.request_id = request_id;
  response.ring_epoch = static_cast<std::int64_t>(map.ring->epoch());
  Bytes hash;
  put_u64_big_endian(hash, map.ring->hash());
  response.ring_hash = to_hex(hash);
  for (std::size_t i = 0; i < map.addresses.size(); ++i) {
    const Member& member = map.ring->members()[i];
    idl::MemberInfo info;
    info.name = member.name;
    put_node_id(info.id, member.id);
    info.client_address = map.addresses[i].client;
    info.rack = member.rack;
    info.data_centre = member.data_centre;
    info.weight = static_cast<std::int32_t>(member.weight);
    response.members.push_back(std::move(info));
  }
  response.owners.assign(map.ring->owners().begin(), map.ring->owners().end());
  for (const KeyspaceSummary& keyspace : map.keyspaces) {
    idl::KeyspaceInfo info;
    info.name = keyspace.name;
    info.n = static_cast<std::int32_t>(keyspace.n);
    info.r = static_cast<std::int32_t>(keyspace.r);
    info.w = static_cast<std::int32_t>(keyspace.w);
    info.record_kind = keyspace.record_kind;
    response.keyspaces.push_back(std::move(info));
  }
  write_result<idl::KV_topology_result>(out, protocol, Method::topology, sequence,
                                        std::move(response));
}

void encode_application_error(Bytes& out, Protocol protocol, std::string_view method,
                              std::uint32_t sequence, ApplicationError type,
                              const std::string& message) {
  using Thrown = apache::thrift::TApplicationException;
  const Thrown thrown(static_cast<Thrown::TApplicationExceptionType>(type), message);
  writing(out, protocol, method, T_EXCEPTION, sequence, [&](auto& to) { thrown.write(&to); });
}

// --- a client ---

void encode_call(Bytes& out, const AnyCall& call) {
  const auto write = [&](const auto& arguments) {
    writing(out, Protocol::binary, method_name(call.method), T_CALL, call.sequence,
            [&](auto& to) { arguments.write(&to); });
  };
  if (const auto* hello = std::get_if<HelloCall>(&call.call)) {
    idl::KV_hello_args arguments;
    arguments.info.protocol_level = static_cast<std::int32_t>(hello->level_max);
    arguments.info.protocol_level_min = static_cast<std::int32_t>(hello->level_min);
    arguments.info.name = hello->name;
    arguments.info.unordered_replies = hello->unordered_replies;
    write(arguments);
  } else if (const auto* topology = std::get_if<TopologyCall>(&call.call)) {
    idl::KV_topology_args arguments;
    arguments.request.request_id = topology->request_id;
    write(arguments);
  } else {
    RW_CHECK(false);  // the others are the hand-written codec's
  }
}

Result<HelloAnswer> decode_hello_reply(ByteView frame) {
  return reading(frame, Protocol::binary, container_elements_max,
                 [&](auto& in) -> Result<HelloAnswer> {
                   const auto info = read_result<idl::KV_hello_result>(in);
                   if (!info) return info.error();
                   return HelloAnswer{static_cast<std::uint32_t>(info->protocol_level),
                                      info->cluster,
                                      info->node,
                                      info->version,
                                      static_cast<std::uint32_t>(info->frame_bytes_max),
                                      info->unordered_replies};
                 });
}

Result<ClusterMap> decode_topology_reply(ByteView frame, const std::string& cluster) {
  constexpr auto elements_max = static_cast<std::int32_t>(limits::partitions_max);
  return reading(frame, Protocol::binary, elements_max, [&](auto& in) -> Result<ClusterMap> {
    const auto response = read_result<idl::KV_topology_result>(in);
    if (!response) return response.error();
    ClusterMap map;
    map.cluster = cluster;
    std::vector<Member> members;
    for (const idl::MemberInfo& info : response->members) {
      Decoder id(info.id);
      members.push_back({take_node_id(id), info.name, info.rack, info.data_centre,
                         static_cast<std::uint32_t>(info.weight)});
      map.addresses.push_back({info.client_address, ""});
    }
    auto ring = Ring::make_with_owners(
        static_cast<std::uint64_t>(response->ring_epoch), std::move(members),
        std::vector<std::uint32_t>(response->owners.begin(), response->owners.end()));
    if (!ring) return ring.error();
    map.ring = std::make_shared<const Ring>(std::move(*ring));
    for (const idl::KeyspaceInfo& info : response->keyspaces)
      map.keyspaces.push_back({info.name, static_cast<std::uint32_t>(info.n),
                               static_cast<std::uint32_t>(info.r),
                               static_cast<std::uint32_t>(info.w), info.record_kind, 0});
    return map;
  });
}

}  // namespace ringwright::wire::generated
