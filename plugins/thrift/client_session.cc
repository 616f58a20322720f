#include "plugins/thrift/client_session.h"

#include <utility>

#include "plugins/thrift/fast_codec.h"

namespace ringwright::wire {
namespace {

// An operation: 28 bits of the session's serial and as many of the call's number, so that the top
// byte, in which nodes keep a shard, stays zero.
constexpr int number_bits = 28;
constexpr std::uint32_t number_mask = (1U << number_bits) - 1;

// About what a reply takes in a frame.
std::size_t reply_bytes(const ClientReply& reply) {
  constexpr std::size_t fields_bytes = 256;
  std::size_t bytes = fields_bytes + reply.key.size() + reply.context.size() + reply.message.size();
  for (const ShownSibling& sibling : reply.siblings) bytes += fields_bytes + sibling.value.size();
  return bytes;
}

// What is told instead of an answer that no frame holds.
void make_too_large(ClientReply& reply, const char* advice) {
  reply.siblings.clear();
  reply.context.clear();
  reply.outcome = Outcome::failed;
  reply.code = Code::invalid;
  reply.message = std::string("the answer is larger than a frame: ") + advice;
}

}  // namespace

ClientSession::ClientSession(Endpoint endpoint, std::uint32_t serial, const ServerFacts& facts,
                             ClientCounters& counters)
    : endpoint_(endpoint), serial_(serial & number_mask), facts_(facts), counters_(counters) {}

OperationId ClientSession::operation_of(std::uint32_t number) const {
  return OperationId{serial_} << number_bits | (number & number_mask);
}

bool ClientSession::is_full(std::size_t unsent) const {
  return calls_.size() >= limits::connection_calls_max ||
         bytes_ + unsent >= limits::connection_bytes_max;
}

void ClientSession::count(Method method, Outcome outcome) {
  ++counters_.requests[static_cast<std::size_t>(method)][static_cast<std::size_t>(outcome)];
}

ClientSession::Call& ClientSession::add_call(Method method, Protocol protocol,
                                             std::uint32_t sequence, std::int64_t request_id,
                                             std::size_t size) {
  Call& call = calls_.emplace_back();
  call.method = method;
  call.protocol = protocol;
  call.sequence = sequence;
  call.request_id = request_id;
  call.size = static_cast<std::uint32_t>(size);
  bytes_ += size;
  ++next_number_;
  return call;
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
  auto call = generated::decode_call(frame, protocol);
  if (call) {
    take_other_call(std::move(*call), protocol, frame, out, deliver);
    return true;
  }
  const auto head = generated::decode_head(frame, protocol);
  if (!head || !head->is_call) {
    ++counters_.malformed;
    return false;
  }
  // The frame's bounds are sound, so the connection goes on behind it.
  const bool is_known = find_method(head->method).has_value();
  ++(is_known ? counters_.malformed : counters_.unknown_methods);
  Call& refused = add_call(Method::hello, protocol, head->sequence, 0, frame.size());
  answer_now(refused, out, [&](Bytes& to) {
    generated::encode_application_error(to, protocol, head->method, head->sequence,
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
  if (method == Method::get) {
    GetCall call;
    is_malformed = !fast::read_get(in, call, problem);
    if (is_malformed) return;
    Call& added = add_call(method, Protocol::binary, sequence, call.request_id, frame.size());
    if (!problem.is_ok()) return refuse(added, problem, call.request.key, out);
    call.request.operation = last_operation();
    deliver(std::move(call.request));
    return;
  }
  PutCall call;
  is_malformed = method == Method::put ? !fast::read_put(in, call, problem)
                                       : !fast::read_remove(in, call, problem);
  if (is_malformed) return;
  Call& added = add_call(method, Protocol::binary, sequence, call.request_id, frame.size());
  if (!problem.is_ok()) return refuse(added, problem, call.request.key, out);
  call.request.operation = last_operation();
  deliver(std::move(call.request));
}

void ClientSession::take_other_call(AnyCall any, Protocol protocol, ByteView frame, Bytes& out,
                                    const Deliver& deliver) {
  const auto add = [&](std::int64_t request_id) -> Call& {
    return add_call(any.method, protocol, any.sequence, request_id, frame.size());
  };
  if (auto* hello = std::get_if<HelloCall>(&any.call)) {
    take_hello(*hello, add(0), out);
  } else if (auto* topology = std::get_if<TopologyCall>(&any.call)) {
    count(any.method, Outcome::ok);
    answer_now(add(topology->request_id), out, [&](Bytes& to) {
      generated::encode_topology_reply(to, protocol, any.sequence, topology->request_id,
                                       *facts_.map);
    });
  } else if (auto* get = std::get_if<GetCall>(&any.call)) {
    Call& call = add(get->request_id);
    if (!any.problem.is_ok()) return refuse(call, any.problem, get->request.key, out);
    get->request.operation = last_operation();
    deliver(std::move(get->request));
  } else if (auto* put = std::get_if<PutCall>(&any.call)) {
    Call& call = add(put->request_id);
    if (!any.problem.is_ok()) return refuse(call, any.problem, put->request.key, out);
    put->request.operation = last_operation();
    deliver(std::move(put->request));
  } else if (auto* gets = std::get_if<GetManyCall>(&any.call)) {
    if (!any.problem.is_ok()) return refuse(add(gets->request_id), any.problem, {}, out);
    take_batch(any.method, protocol, any.sequence, gets->request_id, std::move(gets->requests),
               frame.size(), out, deliver);
  } else if (auto* puts = std::get_if<PutManyCall>(&any.call)) {
    if (!any.problem.is_ok()) return refuse(add(puts->request_id), any.problem, {}, out);
    take_batch(any.method, protocol, any.sequence, puts->request_id, std::move(puts->requests),
               frame.size(), out, deliver);
  }
}

void ClientSession::take_hello(const HelloCall& hello, Call& call, Bytes& out) {
  if (hello.level_min > protocol_level || hello.level_max < protocol_level_min) {
    const Status refusal{Code::mismatch,
                         "this node speaks protocol level " + std::to_string(protocol_level) +
                             ", the client needs " + std::to_string(hello.level_min) + " to " +
                             std::to_string(hello.level_max) + ": use a matching release"};
    return refuse(call, refusal, {}, out);
  }
  count(Method::hello, Outcome::ok);
  generated::HelloAnswer answer;
  answer.level = std::min(hello.level_max, protocol_level);
  answer.cluster = facts_.map->cluster;
  answer.node = facts_.node_name();
  answer.version = facts_.version;
  answer.frame_bytes_max = limits::frame_bytes_max;
  answer.unordered_replies = hello.unordered_replies;
  const Protocol protocol = call.protocol;
  const std::uint32_t sequence = call.sequence;
  answer_now(call, out,
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
    return refuse(add_call(method, protocol, sequence, request_id, size), refusal, {}, out);
  }
  auto left = static_cast<std::uint32_t>(requests.size());
  for (Request& request : requests) {
    Call& item = add_call(method, protocol, sequence, request_id, size);
    item.parts_left = --left;
    size = 0;  // counted once
    request.operation = last_operation();
    deliver(std::move(request));
  }
}

void ClientSession::refuse(Call& call, const Status& problem, ByteView key, Bytes& out) {
  count(call.method, Outcome::failed);
  const Method method = call.method;
  const Protocol protocol = call.protocol;
  const std::uint32_t sequence = call.sequence;
  const std::int64_t request_id = call.request_id;
  answer_now(call, out, [&](Bytes& to) {
    generated::encode_error(to, protocol, method, sequence, error_of(problem, request_id, key));
  });
}

// Of the call that was added last.
void ClientSession::answer_now(Call& call, Bytes& out, const std::function<void(Bytes&)>& encode) {
  call.is_answered = true;
  if (unordered_ || calls_.size() == 1) {
    encode(out);
  } else {
    encode(call.encoded);
    bytes_ += call.encoded.size();
  }
  settle(out);
}

void ClientSession::encode_reply(const Call& call, ClientReply& reply, Bytes& out) {
  if (reply_bytes(reply) > limits::frame_bytes_max)
    make_too_large(reply, "it can be read by a client within the cluster only");
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

void ClientSession::take_reply(ClientReply&& reply, Bytes& out) {
  const auto number = static_cast<std::uint32_t>(reply.operation) & number_mask;
  const std::size_t at = (number - first_number_) & number_mask;
  if (reply.operation != operation_of(number) || at >= calls_.size() || calls_[at].is_answered)
    return;
  Call& call = calls_[at];
  call.is_answered = true;
  count(call.method, reply.outcome);
  if (call.method == Method::get_many || call.method == Method::put_many) {
    // All items are kept until the last has come.
    if (bytes_ + reply_bytes(reply) > limits::frame_bytes_max)
      make_too_large(reply, "ask for fewer keys at once");
    call.size += static_cast<std::uint32_t>(reply_bytes(reply));
    bytes_ += reply_bytes(reply);
    call.item = std::make_unique<ClientReply>(std::move(reply));
  } else if (unordered_ || at == 0) {
    encode_reply(call, reply, out);
  } else {
    encode_reply(call, reply, call.encoded);
    bytes_ += call.encoded.size();
  }
  settle(out);
}

void ClientSession::settle(Bytes& out) {
  while (!calls_.empty() && calls_.front().is_answered) {
    Call& call = calls_.front();
    bytes_ -= call.size + call.encoded.size();
    out += call.encoded;
    if (call.item) {
      gathered_.push_back(std::move(*call.item));
      if (call.parts_left == 0) {
        if (call.method == Method::get_many)
          generated::encode_get_many_reply(out, call.protocol, call.sequence, call.request_id,
                                           gathered_, facts_.ring());
        else
          generated::encode_put_many_reply(out, call.protocol, call.sequence, call.request_id,
                                           gathered_, facts_.ring());
        gathered_.clear();
      }
    }
    calls_.pop_front();
    ++first_number_;
  }
}

}  // namespace ringwright::wire
