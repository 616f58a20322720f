#include "plugins/thrift/client_session.h"

#include <algorithm>
#include <utility>

#include "plugins/thrift/fast_codec.h"

namespace ringwright::wire {
namespace {

// An operation is a number that no other request of the shard's clients has, so that a late reply
// finds nothing and no two requests ever look like one that is repeated. The top byte, in which
// nodes keep a shard, stays zero.
constexpr OperationId operation_mask = (OperationId{1} << operation_shard_shift) - 1;

// Of all items of a batch together, so that a frame also holds what stands in place of those that
// are too large.
constexpr std::size_t batch_answer_bytes_max =
    limits::frame_bytes_max - limits::batch_keys_max * (limits::key_bytes_max + 512);
// What an error takes beside its key.
constexpr std::size_t error_bytes = 4096;
// What a buffer of an answer may keep for the next one.
constexpr std::size_t spare_bytes_max = 4096;
// Of slots, half of which are in use.
constexpr std::size_t spare_slots_max = 256;
constexpr std::size_t slots_min = 4;
// Of a name in an answer that tells that there is no such method.
constexpr std::size_t shown_method_bytes_max = 64;

// About what a reply takes in a frame.
std::size_t reply_bytes(const ClientReply& reply) {
  constexpr std::size_t fields_bytes = 256;
  std::size_t bytes = fields_bytes + reply.key.size() + reply.context.size() + reply.message.size();
  for (const ShownSibling& sibling : reply.siblings) bytes += fields_bytes + sibling.value.size();
  return bytes;
}

// What is told instead of an answer that no frame holds. Of a put only the context is left out: it
// has happened, and a next put without a context loses nothing.
void make_small(ClientReply& reply, Method method, Code code, const char* message) {
  reply.siblings.clear();
  reply.context.clear();
  if (reply.key.size() > limits::key_bytes_max) reply.key.clear();
  const bool is_get = method == Method::get || method == Method::get_many;
  if (!is_get || reply.outcome != Outcome::ok) {
    reply.message.resize(std::min(reply.message.size(), error_bytes));
    return;
  }
  reply.outcome = Outcome::failed;
  reply.code = code;
  reply.message = message;
}

}  // namespace

ClientSession::ClientSession(const ServerFacts& facts, ClientCounters& counters)
    : facts_(facts), counters_(counters) {}

bool ClientSession::is_full(std::size_t unsent) const {
  return calls() >= limits::connection_calls_max || bytes_ + unsent >= limits::connection_bytes_max;
}

void ClientSession::count(Method method, Outcome outcome) {
  ++counters_.requests[static_cast<std::size_t>(method)][static_cast<std::size_t>(outcome)];
}

OperationId ClientSession::take_slot() {
  if ((calls_ + 1) * 2 > slots_.size()) grow();
  OperationId operation = 0;
  do {
    operation = ++counters_.operations & operation_mask;
  } while (slot(operation).is_taken);
  slot(operation).operation = operation;
  slot(operation).is_taken = true;
  ++calls_;
  return operation;
}

void ClientSession::grow() {
  std::vector<Slot> old(slots_.empty() ? slots_min : slots_.size() * 2);
  old.swap(slots_);
  for (Slot& each : old)
    if (each.is_taken) slot(each.operation) = std::move(each);
}

void ClientSession::free_slot(OperationId operation) {
  Slot& freed = slot(operation);
  bytes_ -= std::exchange(freed.size, 0);
  freed.is_open = false;
  freed.is_answered = false;
  freed.encoded.clear();
  if (freed.encoded.capacity() > spare_bytes_max) freed.encoded.shrink_to_fit();
  if (freed.items_bytes > 0) freed.items = {};
  freed.items_bytes = 0;
  freed.is_taken = false;
  // An idle connection keeps little.
  if (--calls_ == 0 && slots_.size() > spare_slots_max) slots_ = {};
}

OperationId ClientSession::add_call(Method method, Protocol protocol, std::uint32_t sequence,
                                    std::int64_t request_id, std::size_t size,
                                    std::uint32_t parts) {
  const OperationId operation = take_slot();
  Slot& call = slot(operation);
  call.is_open = true;
  call.call = operation;
  call.part = 0;
  call.method = method;
  call.protocol = protocol;
  call.sequence = sequence;
  call.request_id = request_id;
  call.size = size;
  call.parts_left = parts;
  call.is_queued = !unordered_;
  if (call.is_queued) queue_.push_back(operation);
  bytes_ += size;
  return operation;
}

template <typename Encode>
void ClientSession::finish(OperationId operation, Bytes& out, const Encode& encode) {
  Slot& call = slot(operation);
  if (call.is_queued && queue_.front() != operation) {
    encode(call.encoded);
    bytes_ += call.encoded.size() - call.size;
    call.size = call.encoded.size();
    call.items = {};
    call.is_answered = true;
    return;
  }
  encode(out);
  const bool was_queued = call.is_queued;
  free_slot(operation);
  if (!was_queued) return;
  queue_.pop_front();
  while (!queue_.empty() && slot(queue_.front()).is_answered) {
    out += slot(queue_.front()).encoded;
    free_slot(queue_.front());
    queue_.pop_front();
  }
}

template <typename Encode>
void ClientSession::answer_now(Method method, Protocol protocol, std::uint32_t sequence, Bytes& out,
                               const Encode& encode) {
  if (queue_.empty() || unordered_) return encode(out);
  const OperationId operation = add_call(method, protocol, sequence, 0, 0);
  slot(operation).is_open = false;
  finish(operation, out, encode);
}

bool ClientSession::take_frame(ByteView frame, Bytes& out, const Deliver& deliver) {
  Protocol protocol = Protocol::binary;
  if (!generated::sniff(frame, protocol)) {
    ++counters_.malformed;
    return false;
  }
  if (protocol == Protocol::binary) {
    binary::Reader in(frame);
    const auto head = binary::take_message_head(in);
    if (in.failed() || head.type != binary::MessageType::call) {
      ++counters_.malformed;
      return false;
    }
    const auto method = find_method(head.name);
    if (method == Method::get || method == Method::put || method == Method::remove) {
      bool is_malformed = false;
      take_fast_call(*method, head.sequence, in, frame, out, deliver, is_malformed);
      if (!is_malformed) return true;
    }
  }
  const auto head = generated::decode_head(frame, protocol);
  if (!head || !head->is_call) {
    ++counters_.malformed;
    return false;
  }
  auto call = generated::decode_call(frame, protocol);
  if (call) {
    take_other_call(std::move(*call), protocol, frame, out, deliver);
    return true;
  }
  // The frame's bounds are sound, so the connection goes on behind it.
  const bool is_known = find_method(head->method).has_value();
  ++(is_known ? counters_.malformed : counters_.unknown_methods);
  answer_now(Method::hello, protocol, head->sequence, out, [&](Bytes& to) {
    generated::encode_application_error(
        to, protocol, ByteView(head->method).substr(0, shown_method_bytes_max), head->sequence,
        is_known ? generated::ApplicationError::malformed
                 : generated::ApplicationError::unknown_method,
        call.error().message());
  });
  return true;
}

void ClientSession::take_fast_call(Method method, std::uint32_t sequence, binary::Reader& in,
                                   ByteView frame, Bytes& out, const Deliver& deliver,
                                   bool& is_malformed) {
  Status problem;
  const auto take = [&](auto& call) {
    if (is_malformed) return;
    if (!problem.is_ok())
      return refuse(method, Protocol::binary, sequence, call.request_id, problem, call.request.key,
                    out);
    call.request.operation =
        add_call(method, Protocol::binary, sequence, call.request_id, frame.size());
    deliver(std::move(call.request));
  };
  if (method == Method::get) {
    GetCall call;
    is_malformed = !fast::read_get(in, call, problem);
    take(call);
  } else {
    PutCall call;
    is_malformed = method == Method::put ? !fast::read_put(in, call, problem)
                                         : !fast::read_remove(in, call, problem);
    take(call);
  }
}

void ClientSession::take_other_call(AnyCall any, Protocol protocol, ByteView frame, Bytes& out,
                                    const Deliver& deliver) {
  const auto take = [&](auto& call) {
    if (!any.problem.is_ok())
      return refuse(any.method, protocol, any.sequence, call.request_id, any.problem,
                    call.request.key, out);
    call.request.operation =
        add_call(any.method, protocol, any.sequence, call.request_id, frame.size());
    deliver(std::move(call.request));
  };
  const auto take_many = [&](auto& call) {
    if (!any.problem.is_ok())
      return refuse(any.method, protocol, any.sequence, call.request_id, any.problem, {}, out);
    take_batch(any.method, protocol, any.sequence, call.request_id, std::move(call.requests),
               frame.size(), out, deliver);
  };
  if (auto* hello = std::get_if<HelloCall>(&any.call)) {
    take_hello(*hello, protocol, any.sequence, out);
  } else if (auto* topology = std::get_if<TopologyCall>(&any.call)) {
    count(any.method, Outcome::ok);
    answer_now(any.method, protocol, any.sequence, out, [&](Bytes& to) {
      generated::encode_topology_reply(to, protocol, any.sequence, topology->request_id,
                                       *facts_.map);
    });
  } else if (auto* get = std::get_if<GetCall>(&any.call)) {
    take(*get);
  } else if (auto* put = std::get_if<PutCall>(&any.call)) {
    take(*put);
  } else if (auto* gets = std::get_if<GetManyCall>(&any.call)) {
    take_many(*gets);
  } else if (auto* puts = std::get_if<PutManyCall>(&any.call)) {
    take_many(*puts);
  }
}

void ClientSession::take_hello(const HelloCall& hello, Protocol protocol, std::uint32_t sequence,
                               Bytes& out) {
  if (hello.level_min > protocol_level || hello.level_max < protocol_level_min) {
    const Status refusal{Code::mismatch,
                         "this node speaks protocol level " + std::to_string(protocol_level) +
                             ", the client needs " + std::to_string(hello.level_min) + " to " +
                             std::to_string(hello.level_max) + ": use a matching release"};
    return refuse(Method::hello, protocol, sequence, 0, refusal, {}, out);
  }
  count(Method::hello, Outcome::ok);
  generated::HelloAnswer answer;
  answer.level = std::min(hello.level_max, protocol_level);
  answer.cluster = facts_.map->cluster;
  answer.node = facts_.node_name();
  answer.version = facts_.version;
  answer.frame_bytes_max = limits::frame_bytes_max;
  answer.unordered_replies = hello.unordered_replies;
  answer_now(Method::hello, protocol, sequence, out,
             [&](Bytes& to) { generated::encode_hello_reply(to, protocol, sequence, answer); });
  unordered_ = hello.unordered_replies;
}

template <typename Request>
void ClientSession::take_batch(Method method, Protocol protocol, std::uint32_t sequence,
                               std::int64_t request_id, std::vector<Request> requests,
                               std::size_t size, Bytes& out, const Deliver& deliver) {
  if (requests.empty() || requests.size() > limits::batch_keys_max) {
    const Status refusal{Code::invalid, "a batch of " + std::to_string(requests.size()) +
                                            " items: send 1 to " +
                                            std::to_string(limits::batch_keys_max)};
    return refuse(method, protocol, sequence, request_id, refusal, {}, out);
  }
  const auto parts = static_cast<std::uint32_t>(requests.size());
  const OperationId call = add_call(method, protocol, sequence, request_id, size, parts);
  slot(call).items.resize(parts);
  for (std::uint32_t part = 0; part < parts; ++part) {
    const OperationId operation = part == 0 ? call : take_slot();
    Slot& item = slot(operation);
    item.is_open = true;
    item.call = call;
    item.part = part;
    requests[part].operation = operation;
    deliver(std::move(requests[part]));
  }
}

void ClientSession::refuse(Method method, Protocol protocol, std::uint32_t sequence,
                           std::int64_t request_id, const Status& problem, ByteView key,
                           Bytes& out) {
  count(method, Outcome::failed);
  if (key.size() > limits::frame_bytes_max - error_bytes) key = {};
  answer_now(method, protocol, sequence, out, [&](Bytes& to) {
    generated::encode_error(to, protocol, method, sequence, error_of(problem, request_id, key));
  });
}

void ClientSession::encode_reply(const Slot& call, ClientReply& reply, Bytes& out) {
  if (reply_bytes(reply) > limits::frame_bytes_max)
    make_small(reply, call.method, Code::invalid,
               "the answer is larger than a frame: it can be read by a client within the cluster "
               "only");
  const Ring& ring = facts_.ring();
  const bool is_fast = call.protocol == Protocol::binary;
  if (call.method == Method::get && is_fast)
    fast::write_get_reply(out, call.sequence, call.request_id, reply, ring);
  else if (call.method == Method::get)
    generated::encode_get_reply(out, call.protocol, call.sequence, call.request_id, reply, ring);
  else if (is_fast)
    fast::write_put_reply(out, call.method, call.sequence, call.request_id, reply, ring);
  else
    generated::encode_put_reply(out, call.protocol, call.method, call.sequence, call.request_id,
                                reply, ring);
}

void ClientSession::encode_batch(const Slot& call, Bytes& out) {
  if (call.method == Method::get_many)
    generated::encode_get_many_reply(out, call.protocol, call.sequence, call.request_id, call.items,
                                     facts_.ring());
  else
    generated::encode_put_many_reply(out, call.protocol, call.sequence, call.request_id, call.items,
                                     facts_.ring());
}

void ClientSession::keep_item(Slot& call, std::uint32_t part, ClientReply&& reply) {
  if (call.items_bytes + reply_bytes(reply) > batch_answer_bytes_max)
    make_small(reply, call.method, Code::invalid,
               "the answer is larger than a frame: ask for fewer keys at once");
  call.items_bytes += reply_bytes(reply);
  call.size += reply_bytes(reply);
  bytes_ += reply_bytes(reply);
  call.items[part] = std::move(reply);
}

void ClientSession::take_reply(ClientReply&& reply, Bytes& out, bool is_short) {
  const OperationId operation = reply.operation;
  if (slots_.empty()) return;
  Slot& answered = slot(operation);
  if (!answered.is_open || answered.operation != operation) return;
  answered.is_open = false;
  Slot& call = slot(answered.call);
  count(call.method, reply.outcome);
  if (is_short && !reply.siblings.empty())
    make_small(reply, call.method, Code::overloaded,
               "the client has too many answers waiting that it has not read: read them, and try "
               "again");
  if (call.items.empty())
    return finish(operation, out, [&](Bytes& to) { encode_reply(call, reply, to); });
  keep_item(call, answered.part, std::move(reply));
  const OperationId batch = answered.call;
  if (operation != batch) free_slot(operation);
  if (--call.parts_left == 0) finish(batch, out, [&](Bytes& to) { encode_batch(call, to); });
}

}  // namespace ringwright::wire
