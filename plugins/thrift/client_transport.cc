#include "plugins/thrift/client_transport.h"

#include <algorithm>
#include <optional>
#include <variant>

#include "plugins/thrift/fast_codec.h"

namespace ringwright::wire {
namespace {

// A sequence number: the slot of its call and how often the slot was used. Never that of a hello.
constexpr int slot_bits = 20;
constexpr std::uint32_t slot_mask = (1U << slot_bits) - 1;
constexpr std::uint32_t generation_mask = (1U << (32 - slot_bits)) - 1;
// Calls of one member under way; a further one does not leave.
constexpr std::size_t calls_max = 65536;
static_assert(calls_max < slot_mask);
constexpr std::uint32_t hello_sequence = UINT32_MAX;
// An answer is overdue when the node's own word on it, which its deadline brings, is.
constexpr Nanoseconds overdue_after = 2 * limits::client_reply_grace;

AnyCall hello_call(bool unordered) {
  AnyCall call;
  call.method = Method::hello;
  call.sequence = hello_sequence;
  call.call = HelloCall{protocol_level, protocol_level_min, "ringwright", unordered};
  return call;
}

}  // namespace

ClientTransport::ClientTransport(std::shared_ptr<const ClusterMap> map,
                                 std::vector<SocketAddress> addresses, std::shared_ptr<Clock> clock)
    : map_(std::move(map)), clock_(std::move(clock)), members_(addresses.size()) {
  for (std::size_t i = 0; i < addresses.size(); ++i) members_[i].address = addresses[i];
}

void ClientTransport::close() {
  if (std::exchange(closed_, true)) return;
  members_.clear();
}

void ClientTransport::poll(Instant until, const Sink& sink) {
  if (closed_) return;
  now_ = clock_->now();
  const bool has_news = !unreachable_.empty() || !unsent_.empty();
  const Instant wake_at = has_news ? 0 : std::min(until, next_deadline());
  const Nanoseconds timeout = wake_at == never ? -1 : std::max<Nanoseconds>(wake_at - now_, 0);
  const auto& ready = poller_.wait(timeout);
  if (timeout != 0) now_ = clock_->now();
  for (const Poller::Ready& each : ready) handle(each);
  for (std::uint32_t index = 0; index < members_.size(); ++index) {
    const Member& member = members_[index];
    const bool is_overdue = !member.deadlines.empty() && member.deadlines.begin()->first <= now_;
    if (is_overdue || member.deadline <= now_) lose(index);
  }
  for (Envelope& envelope : arrived_) sink.deliver(std::move(envelope));
  arrived_.clear();
  for (const OperationId operation : std::exchange(unsent_, {}))
    if (sink.unsent) sink.unsent(operation);
  for (const Endpoint endpoint : std::exchange(unreachable_, {})) sink.unreachable(endpoint);
}

Instant ClientTransport::next_deadline() const {
  Instant next = never;
  for (const Member& member : members_) {
    next = std::min(next, member.deadline);
    if (!member.deadlines.empty()) next = std::min(next, member.deadlines.begin()->first);
  }
  return next;
}

void ClientTransport::send(std::vector<Envelope>& envelopes) {
  if (closed_) return envelopes.clear();
  now_ = clock_->now();
  for (Envelope& envelope : envelopes) {
    const std::uint32_t index = envelope.target - 1;
    if (index < members_.size()) ask(members_[index], index, std::move(envelope.message));
  }
  envelopes.clear();
  for (std::uint32_t index = 0; index < members_.size(); ++index) {
    Member& member = members_[index];
    if (std::exchange(member.is_dirty, false) && member.connection &&
        !member.connection->flush(now_))
      lose(index);
  }
}

void ClientTransport::ask(Member& member, std::uint32_t index, Message message) {
  const bool is_open = member.state == Member::State::open;
  if (member.state == Member::State::down && !connect(member, index)) {
    if (const auto* get = std::get_if<GetRequest>(&message)) unsent_.push_back(get->operation);
    if (const auto* put = std::get_if<PutRequest>(&message)) unsent_.push_back(put->operation);
    return;
  }
  if (std::holds_alternative<Ping>(message)) {
    member.is_pinged = true;
    if (is_open) generated::encode_call(member.connection->out(), hello_call(true));
  } else if (auto* get = std::get_if<GetRequest>(&message)) {
    call(member, Method::get, *get, {}, static_cast<std::int64_t>(get->operation),
         fast::write_get_call);
  } else if (auto* put = std::get_if<PutRequest>(&message)) {
    // The id that the node remembers the put by is also the one that it echoes.
    const std::uint64_t id = put->request.empty() ? put->operation : put->request.sequence;
    call(member, put->tombstone ? Method::remove : Method::put, *put, put->request,
         static_cast<std::int64_t>(id), fast::write_put_call);
  }
  member.is_dirty = true;
}

template <typename Request, typename Write>
void ClientTransport::call(Member& member, Method method, const Request& request,
                           const RequestId& id, std::int64_t request_id, const Write& write) {
  if (member.free.empty()) {
    if (member.pending.size() >= calls_max) return unsent_.push_back(request.operation);
    member.free.push_back(static_cast<std::uint32_t>(member.pending.size()));
    member.pending.emplace_back();
  }
  const std::uint32_t slot = member.free.back();
  member.free.pop_back();
  Pending& pending = member.pending[slot];
  pending.is_open = true;
  pending.method = method;
  pending.generation = (pending.generation + 1) & generation_mask;
  pending.operation = request.operation;
  pending.request = id;
  pending.request_id = request_id;
  const Nanoseconds timeout =
      request.timeout > 0 ? request.timeout : limits::request_deadline_default;
  pending.deadline = now_ + timeout + overdue_after;
  member.deadlines.emplace(pending.deadline, slot);
  Bytes& out = member.state == Member::State::open ? member.connection->out() : member.waiting;
  write(out, pending.generation << slot_bits | slot, request_id, request);
}

bool ClientTransport::connect(Member& member, std::uint32_t index) {
  auto started = start_connect(member.address);
  if (!started) {
    unreachable_.push_back(endpoint_of_member(index));
    return false;
  }
  member.connecting = std::move(*started);
  poller_.add(member.connecting, index, {false, true, false});
  member.state = Member::State::connecting;
  member.deadline = now_ + limits::connect_deadline;
  return true;
}

void ClientTransport::greet(Member& member, std::uint32_t index) {
  if (!connect_result(member.connecting).is_ok()) return lose(index);
  poller_.remove(member.connecting);
  member.connection = std::make_unique<FrameConnection>(
      std::make_unique<SocketStream>(std::move(member.connecting)), poller_, index, now_);
  generated::encode_call(member.connection->out(), hello_call(true));
  member.state = Member::State::greeting;
  member.deadline = now_ + limits::hello_deadline;
  if (!member.connection->flush(now_)) lose(index);
}

void ClientTransport::handle(const Poller::Ready& ready) {
  const auto index = static_cast<std::uint32_t>(ready.tag);
  Member& member = members_[index];
  if (member.state == Member::State::down) return;
  if (member.state == Member::State::connecting) return greet(member, index);
  if (ready.readable || ready.broken) {
    const auto input = member.connection->receive(
        buffer_, now_, [&](ByteView frame) { return take_frame(member, index, frame); },
        [] { return false; });
    if (input != FrameConnection::Input::open) return lose(index);
  }
  if (!member.connection->flush(now_)) lose(index);
}

bool ClientTransport::take_hello(Member& member, std::uint32_t index, ByteView frame) {
  const auto answer = generated::decode_hello_reply(frame);
  // Another cluster may have the address by now.
  if (!answer || answer->cluster != map_->cluster || !answer->unordered_replies) return false;
  if (member.state == Member::State::greeting) {
    member.state = Member::State::open;
    member.deadline = never;
    member.connection->out() += member.waiting;
    member.waiting.clear();
  }
  if (std::exchange(member.is_pinged, false))
    arrived_.push_back({endpoint_of_member(index), own_endpoint, 0, Pong{}});
  return true;
}

bool ClientTransport::take_frame(Member& member, std::uint32_t index, ByteView frame) {
  binary::Reader in(frame);
  const auto head = binary::take_message_head(in);
  if (in.failed()) return false;
  if (head.sequence == hello_sequence) return take_hello(member, index, frame);
  const std::uint32_t slot = head.sequence & slot_mask;
  if (head.type != binary::MessageType::reply || slot >= member.pending.size()) return false;
  Pending& pending = member.pending[slot];
  if (!pending.is_open || pending.generation != head.sequence >> slot_bits ||
      head.name != method_name(pending.method))
    return false;
  auto answer = pending.method == Method::get ? fast::read_get_reply(in, *map_->ring)
                                              : fast::read_put_reply(in, *map_->ring);
  if (!answer || answer->request_id != pending.request_id) return false;
  pending.is_open = false;
  member.free.push_back(slot);
  member.deadlines.erase({pending.deadline, slot});
  ClientReply& reply = answer->reply;
  reply.operation = pending.operation;
  reply.request = pending.request;
  if (reply.coordinator == NodeId{}) reply.coordinator = map_->ring->members()[index].id;
  arrived_.push_back({endpoint_of_member(index), own_endpoint, 0, std::move(reply)});
  return true;
}

void ClientTransport::lose(std::uint32_t index) {
  Member& member = members_[index];
  if (member.state == Member::State::down) return;
  if (member.connecting.is_open()) poller_.remove(member.connecting);
  // Requests wait until the node has answered the hello.
  if (member.state != Member::State::open)
    for (const Pending& pending : member.pending)
      if (pending.is_open) unsent_.push_back(pending.operation);
  const SocketAddress address = member.address;
  member = Member();
  member.address = address;
  unreachable_.push_back(endpoint_of_member(index));
}

// --- finding the cluster ---

namespace {

// One connection that is asked one thing at a time.
class Inquiry {
 public:
  Inquiry(Poller& poller, Clock& clock, Instant deadline)
      : poller_(poller), clock_(clock), deadline_(deadline) {}

  Status open(const SocketAddress& address) {
    auto started = start_connect(address);
    if (!started) return started.error();
    poller_.add(*started, 0, {false, true, false});
    const bool is_done = wait_once();
    poller_.remove(*started);
    if (!is_done) return {Code::unavailable, "no answer in time"};
    RW_TRY(connect_result(*started));
    connection_.emplace(std::make_unique<SocketStream>(std::move(*started)), poller_, 0,
                        clock_.now());
    return ok_status();
  }

  // The frame of the answer.
  Result<Bytes> ask(const AnyCall& call) {
    generated::encode_call(connection_->out(), call);
    std::optional<Bytes> answer;
    const auto take = [&](ByteView frame) {
      answer = Bytes(frame);
      return true;
    };
    while (!answer) {
      if (!connection_->flush(clock_.now())) return lost();
      if (!wait_once()) return Status{Code::unavailable, "no answer in time"};
      const auto input = connection_->receive(buffer_, clock_.now(), take, [] { return false; });
      if (input != FrameConnection::Input::open && !answer) return lost();
    }
    return std::move(*answer);
  }

 private:
  static Status lost() {
    return {Code::unavailable, "the connection was closed: does Ringwright listen there?"};
  }
  // False: the deadline has passed.
  bool wait_once() {
    for (;;) {
      const Instant now = clock_.now();
      if (now >= deadline_) return false;
      if (!poller_.wait(deadline_ - now).empty()) return true;
    }
  }

  Poller& poller_;
  Clock& clock_;
  const Instant deadline_;
  ReadBuffer buffer_;
  std::optional<FrameConnection> connection_;
};

Result<ClusterMap> find_cluster_at(const std::string& text, Instant deadline, Clock& clock) {
  const auto address = SocketAddress::resolve(text);
  if (!address) return address.error();
  Poller poller;
  Inquiry inquiry(poller, clock, deadline);
  RW_TRY(inquiry.open(*address));
  const auto hello = inquiry.ask(hello_call(false));
  if (!hello) return hello.error();
  const auto info = generated::decode_hello_reply(*hello);
  if (!info) return info.error();
  AnyCall call;
  call.method = Method::topology;
  call.call = TopologyCall{1};
  const auto topology = inquiry.ask(call);
  if (!topology) return topology.error();
  return generated::decode_topology_reply(*topology, info->cluster);
}

}  // namespace

Result<ClusterMap> find_cluster(const std::vector<std::string>& addresses, Nanoseconds timeout,
                                Clock& clock) {
  const Instant deadline = clock.now() + timeout;
  Status last{Code::invalid, "no address to ask: give at least one host:port"};
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    // Each gets its share of what is left, so that a silent one does not use up all of it.
    const Instant now = clock.now();
    const Instant share = now + (deadline - now) / static_cast<Nanoseconds>(addresses.size() - i);
    auto map = find_cluster_at(addresses[i], share, clock);
    if (map) return map;
    last = {map.error().code(), addresses[i] + ": " + map.error().message()};
    // Whoever answers like this will not do better elsewhere.
    if (last.code() == Code::mismatch || last.code() == Code::invalid) return last;
  }
  return last;
}

}  // namespace ringwright::wire
