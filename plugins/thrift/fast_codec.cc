#include "plugins/thrift/fast_codec.h"

#include <utility>

#include "replication/version/hlc.h"

namespace ringwright::wire::fast {
namespace {

using binary::MessageType;
using binary::Reader;
using binary::Type;

// A list's element type and count, then at least one stop byte for each struct.
constexpr std::size_t struct_bytes_min = 1;

// What get, put and remove have in common.
struct RequestFields {
  std::optional<std::int64_t> request_id;
  ByteView key;
  ByteView value;
  ByteView context;
  ByteView keyspace = default_keyspace;
  LevelFields level;
  std::optional<std::int32_t> timeout_ms;
  std::optional<std::int64_t> ttl_ms;
  std::optional<ByteView> client;
};

// Where each of the three structs keeps them; 0: nowhere.
struct FieldNumbers {
  std::uint16_t request_id, key, value, context, keyspace, count, consistency, timeout, ttl, client;
};
constexpr FieldNumbers get_numbers{1, 2, 0, 0, 3, 4, 5, 6, 0, 0};
constexpr FieldNumbers put_numbers{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
constexpr FieldNumbers remove_numbers{1, 2, 0, 3, 4, 5, 6, 7, 0, 8};

template <FieldNumbers numbers>
void read_fields(Reader& in, RequestFields& fields) {
  for (auto at = in.field(); at.type != Type::stop; at = in.field()) {
    // A number 0 would stand for what the struct does not have.
    const auto is = [&](std::uint16_t id, Type type) {
      return id != 0 && at.id == id && at.type == type;
    };
    if (is(numbers.request_id, Type::i64))
      fields.request_id = static_cast<std::int64_t>(in.i64());
    else if (is(numbers.key, Type::bytes))
      fields.key = in.string();
    else if (is(numbers.value, Type::bytes))
      fields.value = in.string();
    else if (is(numbers.context, Type::bytes))
      fields.context = in.string();
    else if (is(numbers.keyspace, Type::bytes))
      fields.keyspace = in.string();
    else if (is(numbers.count, Type::i32))
      fields.level.count = static_cast<std::int32_t>(in.i32());
    else if (is(numbers.consistency, Type::i32))
      fields.level.consistency = static_cast<std::int32_t>(in.i32());
    else if (is(numbers.timeout, Type::i32))
      fields.timeout_ms = static_cast<std::int32_t>(in.i32());
    else if (is(numbers.ttl, Type::i64))
      fields.ttl_ms = static_cast<std::int64_t>(in.i64());
    else if (is(numbers.client, Type::bytes))
      fields.client = in.string();
    else
      in.skip(at.type);
  }
}

// The arguments of a method are a struct with the request as its field 1.
template <FieldNumbers numbers>
bool read_arguments(Reader& in, RequestFields& fields) {
  bool is_read = false;
  for (auto at = in.field(); at.type != Type::stop; at = in.field()) {
    if (at.id != 1 || at.type != Type::structure) {
      in.skip(at.type);
      continue;
    }
    // What a second one means is the generated codec's to say.
    if (std::exchange(is_read, true)) return false;
    read_fields<numbers>(in, fields);
  }
  return in.complete() && fields.request_id.has_value();
}

template <typename T>
void take(Result<T> result, T& into, Status& problem) {
  if (result)
    into = std::move(*result);
  else if (problem.is_ok())
    problem = result.error();
}

void fill_put(const RequestFields& fields, PutCall& call, Status& problem) {
  call.request_id = *fields.request_id;
  PutRequest& request = call.request;
  request.keyspace = fields.keyspace;
  request.key = fields.key;
  request.value = fields.value;
  request.context = fields.context;
  take(level_of(fields.level, "w"), request.w, problem);
  take(timeout_of(fields.timeout_ms), request.timeout, problem);
  take(ttl_us_of(fields.ttl_ms), request.ttl_us, problem);
  take(request_of(fields.client, call.request_id), request.request, problem);
}

void write_error(Bytes& out, const ErrorFields& error) {
  binary::put_field(out, Type::structure, 1);
  binary::put_i32_field(out, 1, static_cast<std::uint32_t>(error.code));
  binary::put_string_field(out, 2, error.message);
  binary::put_bool_field(out, 3, error.retryable);
  binary::put_i32_field(out, 4, error.required);
  binary::put_i32_field(out, 5, error.received);
  binary::put_bool_field(out, 6, error.outcome_unknown);
  binary::put_i64_field(out, 7, static_cast<std::uint64_t>(error.retry_after_ms));
  binary::put_i64_field(out, 8, static_cast<std::uint64_t>(error.request_id));
  binary::put_string_field(out, 9, error.key);
  binary::put_stop(out);
}

void write_level(Bytes& out, Level level, std::uint16_t count_id, std::uint16_t consistency_id) {
  const LevelFields fields = fields_of(level);
  if (fields.count) binary::put_i32_field(out, count_id, static_cast<std::uint32_t>(*fields.count));
  if (fields.consistency)
    binary::put_i32_field(out, consistency_id, static_cast<std::uint32_t>(*fields.consistency));
}

void write_timeout(Bytes& out, Nanoseconds timeout, std::uint16_t id) {
  if (timeout > 0)
    binary::put_i32_field(out, id, static_cast<std::uint32_t>(milliseconds_of(timeout)));
}

void write_client(Bytes& out, const RequestId& request, std::uint16_t id) {
  if (!request.empty()) binary::put_string_field(out, id, client_bytes_of(request));
}

void read_error(Reader& in, Reply& into) {
  ClientReply& reply = into.reply;
  reply.outcome = Outcome::failed;
  // An error of no known sort is one still.
  reply.code = Code::unavailable;
  for (auto at = in.field(); at.type != Type::stop; at = in.field()) {
    if (at.id == 1 && at.type == Type::i32) {
      const std::uint32_t code = in.i32();
      if (code >= 1 && code <= static_cast<std::uint32_t>(Code::mismatch))
        reply.code = static_cast<Code>(code);
    } else if (at.id == 2 && at.type == Type::bytes) {
      reply.message = in.string();
    } else if (at.id == 4 && at.type == Type::i32) {
      reply.required = in.i32();
    } else if (at.id == 5 && at.type == Type::i32) {
      reply.received = in.i32();
    } else if (at.id == 6 && at.type == Type::boolean) {
      if (in.boolean()) reply.outcome = Outcome::unknown;
    } else if (at.id == 8 && at.type == Type::i64) {
      into.request_id = static_cast<std::int64_t>(in.i64());
    } else if (at.id == 9 && at.type == Type::bytes) {
      reply.key = in.string();
    } else {
      in.skip(at.type);
    }
  }
}

ShownSibling read_sibling(Reader& in) {
  ShownSibling sibling;
  for (auto at = in.field(); at.type != Type::stop; at = in.field()) {
    if (at.id == 1 && at.type == Type::bytes) {
      sibling.value = in.string();
    } else if (at.id == 2 && at.type == Type::i64) {
      sibling.stamp = timestamp_at(in.i64());
    } else if (at.id == 4 && at.type == Type::bytes) {
      if (const auto dot = dot_of(in.string()))
        sibling.dot = *dot;
      else
        in.fail();
    } else {
      in.skip(at.type);
    }
  }
  return sibling;
}

void read_get_response(Reader& in, Reply& into, const Ring& ring) {
  ClientReply& reply = into.reply;
  for (auto at = in.field(); at.type != Type::stop; at = in.field()) {
    if (at.id == 1 && at.type == Type::i64) {
      into.request_id = static_cast<std::int64_t>(in.i64());
    } else if (at.id == 2 && at.type == Type::bytes) {
      reply.key = in.string();
    } else if (at.id == 3 && at.type == Type::list) {
      const std::size_t count = in.list(Type::structure, struct_bytes_min);
      for (std::size_t i = 0; i < count && !in.failed(); ++i)
        reply.siblings.push_back(read_sibling(in));
    } else if (at.id == 4 && at.type == Type::bytes) {
      reply.context = in.string();
    } else if (at.id == 5 && at.type == Type::bytes) {
      reply.coordinator = node_named(ring, in.string());
    } else {
      in.skip(at.type);
    }
  }
}

void read_put_response(Reader& in, Reply& into, const Ring& ring) {
  ClientReply& reply = into.reply;
  for (auto at = in.field(); at.type != Type::stop; at = in.field()) {
    if (at.id == 1 && at.type == Type::i64) {
      into.request_id = static_cast<std::int64_t>(in.i64());
    } else if (at.id == 2 && at.type == Type::bytes) {
      reply.key = in.string();
    } else if (at.id == 3 && at.type == Type::bytes) {
      reply.context = in.string();
    } else if (at.id == 4 && at.type == Type::bytes) {
      if (const auto dot = dot_of(in.string()))
        reply.dot = *dot;
      else
        in.fail();
    } else if (at.id == 5 && at.type == Type::bytes) {
      reply.coordinator = node_named(ring, in.string());
    } else {
      in.skip(at.type);
    }
  }
}

// The result of a method is a struct of which one field is set: 0 the response, 1 the exception.
template <typename ReadResponse>
std::optional<Reply> read_result(Reader& in, const ReadResponse& read_response) {
  std::optional<Reply> reply;
  for (auto at = in.field(); at.type != Type::stop; at = in.field()) {
    if (at.type != Type::structure || reply || at.id > 1) {
      in.skip(at.type);
      continue;
    }
    reply.emplace();
    if (at.id == 0)
      read_response(in, *reply);
    else
      read_error(in, *reply);
  }
  return in.complete() ? std::move(reply) : std::nullopt;
}

}  // namespace

bool read_get(Reader& in, GetCall& call, Status& problem) {
  RequestFields fields;
  if (!read_arguments<get_numbers>(in, fields)) return false;
  call.request_id = *fields.request_id;
  call.request.keyspace = fields.keyspace;
  call.request.key = fields.key;
  take(level_of(fields.level, "r"), call.request.r, problem);
  take(timeout_of(fields.timeout_ms), call.request.timeout, problem);
  return true;
}

bool read_put(Reader& in, PutCall& call, Status& problem) {
  RequestFields fields;
  if (!read_arguments<put_numbers>(in, fields)) return false;
  fill_put(fields, call, problem);
  return true;
}

bool read_remove(Reader& in, PutCall& call, Status& problem) {
  RequestFields fields;
  if (!read_arguments<remove_numbers>(in, fields)) return false;
  fill_put(fields, call, problem);
  call.request.tombstone = true;
  return true;
}

void write_get_reply(Bytes& out, std::uint32_t sequence, std::int64_t request_id,
                     const ClientReply& reply, const Ring& ring) {
  const std::size_t frame = binary::begin_frame(out);
  binary::put_message_head(out, MessageType::reply, "get", sequence);
  if (reply.outcome == Outcome::ok) {
    std::string buffer;
    binary::put_field(out, Type::structure, 0);
    binary::put_i64_field(out, 1, static_cast<std::uint64_t>(request_id));
    binary::put_string_field(out, 2, reply.key);
    binary::put_field(out, Type::list, 3);
    out.push_back(static_cast<char>(Type::structure));
    binary::put_i32(out, static_cast<std::uint32_t>(reply.siblings.size()));
    for (const ShownSibling& sibling : reply.siblings) {
      binary::put_string_field(out, 1, sibling.value);
      binary::put_i64_field(out, 2, wall_us_of(sibling.stamp));
      binary::put_string_field(out, 3, node_name(ring, sibling.dot.actor.node, buffer));
      binary::put_string_field(out, 4, event_of(sibling.dot));
      binary::put_stop(out);
    }
    binary::put_string_field(out, 4, reply.context);
    binary::put_string_field(out, 5, node_name(ring, reply.coordinator, buffer));
    binary::put_stop(out);
  } else {
    write_error(out, error_of(reply, request_id, false));
  }
  binary::put_stop(out);
  binary::end_frame(out, frame);
}

void write_put_reply(Bytes& out, Method method, std::uint32_t sequence, std::int64_t request_id,
                     const ClientReply& reply, const Ring& ring) {
  const std::size_t frame = binary::begin_frame(out);
  binary::put_message_head(out, MessageType::reply, method_name(method), sequence);
  if (reply.outcome == Outcome::ok) {
    std::string buffer;
    binary::put_field(out, Type::structure, 0);
    binary::put_i64_field(out, 1, static_cast<std::uint64_t>(request_id));
    binary::put_string_field(out, 2, reply.key);
    binary::put_string_field(out, 3, reply.context);
    binary::put_string_field(out, 4, event_of(reply.dot));
    binary::put_string_field(out, 5, node_name(ring, reply.coordinator, buffer));
    binary::put_stop(out);
  } else {
    write_error(out, error_of(reply, request_id, true));
  }
  binary::put_stop(out);
  binary::end_frame(out, frame);
}

void write_get_call(Bytes& out, std::uint32_t sequence, std::int64_t request_id,
                    const GetRequest& request) {
  const std::size_t frame = binary::begin_frame(out);
  binary::put_message_head(out, MessageType::call, "get", sequence);
  binary::put_field(out, Type::structure, 1);
  binary::put_i64_field(out, 1, static_cast<std::uint64_t>(request_id));
  binary::put_string_field(out, 2, request.key);
  binary::put_string_field(out, 3, request.keyspace);
  write_level(out, request.r, 4, 5);
  write_timeout(out, request.timeout, 6);
  binary::put_stop(out);
  binary::put_stop(out);
  binary::end_frame(out, frame);
}

void write_put_call(Bytes& out, std::uint32_t sequence, std::int64_t request_id,
                    const PutRequest& request) {
  const std::size_t frame = binary::begin_frame(out);
  const Method method = request.tombstone ? Method::remove : Method::put;
  binary::put_message_head(out, MessageType::call, method_name(method), sequence);
  binary::put_field(out, Type::structure, 1);
  binary::put_i64_field(out, 1, static_cast<std::uint64_t>(request_id));
  binary::put_string_field(out, 2, request.key);
  const FieldNumbers numbers = request.tombstone ? remove_numbers : put_numbers;
  if (!request.tombstone) binary::put_string_field(out, numbers.value, request.value);
  if (!request.context.empty()) binary::put_string_field(out, numbers.context, request.context);
  binary::put_string_field(out, numbers.keyspace, request.keyspace);
  write_level(out, request.w, numbers.count, numbers.consistency);
  write_timeout(out, request.timeout, numbers.timeout);
  if (!request.tombstone && request.ttl_us > 0)
    binary::put_i64_field(out, numbers.ttl, (request.ttl_us + 999) / 1000);
  write_client(out, request.request, numbers.client);
  binary::put_stop(out);
  binary::put_stop(out);
  binary::end_frame(out, frame);
}

std::optional<Reply> read_get_reply(Reader& in, const Ring& ring) {
  return read_result(in, [&](Reader& from, Reply& into) { read_get_response(from, into, ring); });
}

std::optional<Reply> read_put_reply(Reader& in, const Ring& ring) {
  return read_result(in, [&](Reader& from, Reply& into) { read_put_response(from, into, ring); });
}

}  // namespace ringwright::wire::fast
