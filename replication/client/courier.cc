#include "replication/client/courier.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <set>
#include <utility>

#include "engine/base/check.h"

namespace ringwright {
namespace {

// The operation's name: the slot of its call and how often the slot was used. The top byte, in
// which nodes keep a shard, stays zero.
constexpr int slot_bits = 20;
constexpr std::uint64_t generation_mask = (std::uint64_t{1} << (56 - slot_bits)) - 1;

// How long the thread of submitted calls polls when there is nothing to wait for.
constexpr Nanoseconds idle_poll = seconds(1);

// Whether another replica may do better than the one that certainly did nothing.
bool is_worth_another(Code code) {
  switch (code) {
    case Code::unavailable:
    case Code::overloaded:
    case Code::busy:
    case Code::no_space:
    case Code::corrupt:
    case Code::io_error:
    case Code::locked:
    case Code::closed:
      return true;
    default:
      return false;
  }
}

ClientError error_of(ClientReply reply, bool is_put) {
  ClientError error;
  error.code = reply.code;
  error.message = std::move(reply.message);
  // A get has no effect that could be in doubt.
  error.outcome = is_put ? reply.outcome : Outcome::failed;
  error.required = reply.required;
  error.received = reply.received;
  error.retryable = error.outcome == Outcome::failed &&
                    (is_worth_another(reply.code) || reply.code == Code::timed_out);
  error.node = reply.coordinator;
  error.request = reply.request;
  return error;
}

}  // namespace

// The calls that one thread waits for.
struct Batch {
  std::span<Call> calls;
  std::size_t concurrency = 1;
  std::size_t next = 0;  // the first that was not started
  std::size_t under_way = 0;
  bool has_news = false;          // for its thread, which another one found
  std::deque<Call*> by_deadline;  // started ones; all have the same timeout, so this is their order
  std::condition_variable changed;

  bool is_complete() const { return next == calls.size() && under_way == 0; }
};

// The calls that were submitted: a batch that never ends, whose calls have timeouts of their own.
struct Submitted {
  Batch batch;
  std::vector<std::unique_ptr<Call>> fresh;         // not started
  std::set<std::pair<Instant, Call*>> by_deadline;  // under way; owned
  std::vector<std::unique_ptr<Call>> ended;

  ~Submitted() {
    for (const auto& [deadline, call] : by_deadline) delete call;
  }
};

Courier::Courier(ClientParts parts, std::string node, std::uint32_t retries)
    : transport_(std::move(parts.transport)),
      endpoint_(parts.endpoint),
      ring_(std::move(parts.ring)),
      endpoints_(std::move(parts.endpoints)),
      clock_(std::move(parts.clock)),
      retries_(retries),
      submitted_(std::make_unique<Submitted>()),
      peers_(endpoints_.size()) {
  RW_CHECK(endpoints_.size() == ring_->members().size());
  if (!node.empty()) {
    pinned_ = ring_->index_of_name(node);
    RW_CHECK(pinned_.has_value());
  }
  sink_.deliver = [this](Envelope&& envelope) {
    arrivals_.messages.push_back(std::move(envelope));
  };
  sink_.unreachable = [this](Endpoint endpoint) { arrivals_.unreachable.push_back(endpoint); };
  sink_.unsent = [this](OperationId operation) { arrivals_.unsent.push_back(operation); };
}

Courier::~Courier() = default;

void Courier::carry(std::span<Call> calls, std::size_t concurrency) {
  Lock lock(mutex_);
  Batch batch;
  batch.calls = calls;
  batch.concurrency = std::max<std::size_t>(concurrency, 1);
  batches_.push_back(&batch);
  // What came while nobody called says which nodes are gone.
  if (!has_leader_ && !closed_) lead(lock, 0);
  for (;;) {
    const Instant now = clock_->now();
    expire_calls(batch, now);
    start_calls(batch, now);
    if (batch.is_complete()) break;
    const Instant until = batch.by_deadline.front()->deadline_ + limits::client_reply_grace;
    if (!has_leader_) {
      lead(lock, until);
      continue;
    }
    await_news(batch, lock, until);
  }
  std::erase(batches_, &batch);
  // Somebody else must poll now.
  if (!has_leader_ && !batches_.empty()) batches_.front()->changed.notify_one();
  if (batches_.empty()) left_.notify_all();
}

// While another thread leads.
void Courier::await_news(Batch& batch, Lock& lock, Instant until) {
  if (!outgoing_.empty() && !std::exchange(wake_is_sent_, true)) transport_->wake();
  batch.has_news = false;
  batch.changed.wait_until(lock,
                           std::chrono::steady_clock::time_point(std::chrono::nanoseconds(until)),
                           [&] { return batch.has_news || !has_leader_; });
}

void Courier::carry_submitted(const Ended& ended) {
  Lock lock(mutex_);
  Submitted& all = *submitted_;
  batches_.push_back(&all.batch);
  for (;;) {
    const Instant now = clock_->now();
    expire_submitted(now);
    start_submitted(now);
    if (!all.ended.empty()) {
      std::vector<std::unique_ptr<Call>> handed;
      handed.swap(all.ended);
      lock.unlock();
      ended(std::move(handed));
      lock.lock();
      continue;
    }
    if (closed_ && all.batch.under_way == 0) break;
    const Instant until = all.by_deadline.empty()
                              ? now + idle_poll
                              : all.by_deadline.begin()->first + limits::client_reply_grace;
    if (has_leader_)
      await_news(all.batch, lock, until);
    else
      lead(lock, until);
  }
  std::erase(batches_, &all.batch);
  if (!has_leader_ && !batches_.empty()) batches_.front()->changed.notify_one();
  if (batches_.empty()) left_.notify_all();
}

bool Courier::submit(std::unique_ptr<Call> call) {
  const Lock lock(mutex_);
  if (closed_) return false;
  submitted_->fresh.push_back(std::move(call));
  if (!std::exchange(submitted_->batch.has_news, true)) submitted_->batch.changed.notify_one();
  if (has_leader_ && !std::exchange(wake_is_sent_, true)) transport_->wake();
  return true;
}

void Courier::lead(Lock& lock, Instant until) {
  has_leader_ = true;
  wake_is_sent_ = false;
  sending_.swap(outgoing_);
  lock.unlock();
  if (!sending_.empty()) transport_->send(sending_);
  transport_->poll(until, sink_);
  lock.lock();
  handle_arrivals(clock_->now());
  has_leader_ = false;
}

void Courier::handle_arrivals(Instant now) {
  for (Envelope& envelope : arrivals_.messages) {
    if (const auto member = peers_down_ == 0 ? std::nullopt : member_at(envelope.source)) {
      Peer& peer = peers_[*member];
      if (std::exchange(peer.is_down, false)) --peers_down_;
      peer.is_probed = false;
    }
    if (auto* const reply = std::get_if<ClientReply>(&envelope.message))
      handle_reply(std::move(*reply), now);
  }
  for (const OperationId operation : arrivals_.unsent) handle_unsent(operation, now);
  for (const Endpoint endpoint : arrivals_.unreachable)
    if (const auto member = member_at(endpoint)) handle_unreachable(*member, now);
  arrivals_.messages.clear();
  arrivals_.unreachable.clear();
  arrivals_.unsent.clear();
  if (!parked_.empty()) unpark_calls(now);
  for (Batch* const batch : batches_)
    if (batch->has_news) batch->changed.notify_one();
}

Call* Courier::find_call(OperationId operation) {
  const std::size_t at = operation & ((std::uint64_t{1} << slot_bits) - 1);
  Call* const call = at < slots_.size() ? slots_[at].call : nullptr;
  return call != nullptr && call->operation_ == operation ? call : nullptr;
}

void Courier::handle_unsent(OperationId operation, Instant now) {
  Call* const call = find_call(operation);
  if (call == nullptr) return;
  end_attempt(*call);
  handle_failure(*call, unreachable_error(call->member_), now);
}

ClientError Courier::unreachable_error(std::uint32_t member) const {
  ClientError error;
  error.message = ring_->members()[member].name + " cannot be reached";
  error.retryable = true;
  return error;
}

void Courier::handle_reply(ClientReply reply, Instant now) {
  Call* const call = find_call(reply.operation);
  // An echo that does not fit belongs to another request: that one's outcome is nobody's here.
  if (call == nullptr || reply.key != call->key()) return;
  if (call->is_put() && reply.request != std::get<PutRequest>(call->request).request) return;
  end_attempt(*call);
  if (reply.outcome == Outcome::ok) {
    call->reply = std::move(reply);
    finish(*call);
    return;
  }
  const bool is_certain = reply.outcome == Outcome::failed || !call->is_put();
  ClientError error = error_of(std::move(reply), call->is_put());
  if (is_certain && is_worth_another(error.code))
    handle_failure(*call, std::move(error), now);
  else
    fail(*call, std::move(error));
}

void Courier::handle_failure(Call& call, ClientError failure, Instant now) {
  call.tried_.push_back(call.member_);
  call.failure_ = std::move(failure);
  attempt(call, now);
}

void Courier::handle_unreachable(std::uint32_t member, Instant now) {
  Peer& peer = peers_[member];
  if (!std::exchange(peer.is_down, true)) ++peers_down_;
  peer.is_probed = false;
  peer.next_probe = now + limits::client_probe_interval;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Call* const call = slots_[i].call;
    if (call == nullptr || call->member_ != member) continue;
    end_attempt(*call);
    // What was sent there may have arrived.
    if (call->is_put()) call->perhaps_applied_ = true;
    handle_failure(*call, unreachable_error(member), now);
  }
}

void Courier::start_calls(Batch& batch, Instant now) {
  if (peers_down_ > 0) probe_down_peers(now);
  while (batch.next < batch.calls.size() && batch.under_way < batch.concurrency) {
    Call& call = batch.calls[batch.next++];
    call.deadline_ = now + call.timeout;
    batch.by_deadline.push_back(&call);
    start_call(batch, call, now);
  }
}

void Courier::start_submitted(Instant now) {
  if (peers_down_ > 0) probe_down_peers(now);
  for (auto& fresh : std::exchange(submitted_->fresh, {})) {
    Call* const call = fresh.release();
    call->deadline_ = now + call->timeout;
    submitted_->by_deadline.emplace(call->deadline_, call);
    start_call(submitted_->batch, *call, now);
  }
}

void Courier::start_call(Batch& batch, Call& call, Instant now) {
  ++batch.under_way;
  call.batch_ = &batch;
  if (closed_)
    fail(call, closed_error(call));
  else
    attempt(call, now);
}

void Courier::expire_calls(Batch& batch, Instant now) {
  auto& waiting = batch.by_deadline;
  while (!waiting.empty()) {
    Call& call = *waiting.front();
    const bool is_answered = call.reply || call.error;
    if (!is_answered && !is_over(call, now)) return;
    waiting.pop_front();
    if (!is_answered) expire(call, now);
  }
}

void Courier::expire_submitted(Instant now) {
  const auto& waiting = submitted_->by_deadline;
  while (!waiting.empty() && is_over(*waiting.begin()->second, now))
    expire(*waiting.begin()->second, now);
}

bool Courier::is_over(const Call& call, Instant now) const {
  return closed_ || now >= call.deadline_ + limits::client_reply_grace;
}

void Courier::expire(Call& call, Instant now) {
  const bool was_sent = call.operation_ != 0;
  const std::uint32_t member = call.member_;
  ClientError error = closed_ ? closed_error(call) : timeout_error(call);
  if (was_sent) end_attempt(call);
  fail(call, std::move(error));
  // A node that keeps silent beyond a deadline is left alone until it answers a ping.
  if (was_sent && !closed_ && !peers_[member].is_down) {
    peers_[member] = {true, false, now};
    ++peers_down_;
  }
}

// Sends the call to the next node worth asking, or ends it with the failure of the last one.
void Courier::attempt(Call& call, Instant now) {
  const bool may_go_on =
      call.attempts_ <= retries_ && (call.attempts_ == 0 || now < call.deadline_);
  const auto member = may_go_on ? choose(call) : std::nullopt;
  if (member)
    send_attempt(call, *member, now);
  else if (call.failure_)
    fail(call, std::move(*call.failure_));
  else
    park(call, now);
}

// The key's replicas in the order of their preference, then everybody else: any node takes a
// request.
std::optional<std::uint32_t> Courier::choose(const Call& call) const {
  const auto order = ring_->order(ring_->partition_of(token_of(call.key())));
  for (const std::uint32_t member : order) {
    if (!may_ask(member) || peers_[member].is_down) continue;
    if (std::find(call.tried_.begin(), call.tried_.end(), member) == call.tried_.end())
      return member;
  }
  return std::nullopt;
}

void Courier::send_attempt(Call& call, std::uint32_t member, Instant now) {
  if (free_slots_.empty()) {
    RW_CHECK(slots_.size() < (std::size_t{1} << slot_bits));
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    // Late answers to an earlier owner of the endpoint find another generation.
    slots_.push_back({nullptr, static_cast<std::uint64_t>(now) & generation_mask});
  }
  const std::uint32_t at = free_slots_.back();
  free_slots_.pop_back();
  Slot& slot = slots_[at];
  slot.generation = (slot.generation + 1) & generation_mask;
  slot.call = &call;
  call.operation_ = slot.generation << slot_bits | at;
  call.member_ = member;
  ++call.attempts_;
  Envelope envelope;
  envelope.source = endpoint_;
  envelope.target = endpoints_[member];
  std::visit(
      [&](auto& request) {
        request.operation = call.operation_;
        request.timeout = call.deadline_ - now;
        // A copy: the call still needs its key for the echo, and all of it for the next attempt.
        envelope.message = request;
      },
      call.request);
  outgoing_.push_back(std::move(envelope));
}

void Courier::park(Call& call, Instant now) {
  call.is_parked_ = true;
  parked_.push_back(&call);
  for (std::uint32_t member = 0; member < peers_.size(); ++member)
    if (may_ask(member) && peers_[member].is_down) probe(member, now);
}

// Parked calls go on when a node is back, and fail when every node was asked in vain.
void Courier::unpark_calls(Instant now) {
  bool any_up = false;
  bool any_probed = false;
  for (std::uint32_t member = 0; member < peers_.size(); ++member) {
    if (!may_ask(member)) continue;
    any_up |= !peers_[member].is_down;
    any_probed |= peers_[member].is_probed;
  }
  if (!any_up && any_probed) return;
  for (Call* const call : std::exchange(parked_, {})) {
    call->is_parked_ = false;
    if (any_up) {
      attempt(*call, now);
      continue;
    }
    ClientError error;
    error.message = pinned_ ? ring_->members()[*pinned_].name + " cannot be reached"
                            : std::string("no node can be reached");
    error.required = 1;
    error.retryable = true;
    fail(*call, std::move(error));
  }
}

void Courier::probe(std::uint32_t member, Instant now) {
  peers_[member].is_probed = true;
  peers_[member].next_probe = now + limits::client_probe_interval;
  outgoing_.push_back({endpoint_, endpoints_[member], 0, Ping{}});
}

void Courier::probe_down_peers(Instant now) {
  for (std::uint32_t member = 0; member < peers_.size(); ++member)
    if (peers_[member].is_down && now >= peers_[member].next_probe) probe(member, now);
}

void Courier::end_attempt(Call& call) {
  const auto at = static_cast<std::uint32_t>(call.operation_ & ((1U << slot_bits) - 1));
  slots_[at].call = nullptr;
  free_slots_.push_back(at);
  call.operation_ = 0;
}

void Courier::finish(Call& call) {
  --call.batch_->under_way;
  call.batch_->has_news = true;
  if (call.batch_ != &submitted_->batch) return;
  submitted_->by_deadline.erase({call.deadline_, &call});
  submitted_->ended.emplace_back(&call);
}

void Courier::fail(Call& call, ClientError error) {
  if (call.is_parked_) {
    std::erase(parked_, &call);
    call.is_parked_ = false;
  }
  if (call.perhaps_applied_ && error.outcome == Outcome::failed) {
    error.outcome = Outcome::unknown;
    error.retryable = false;
    error.message += "; an earlier attempt may have taken effect";
  }
  if (call.is_put()) error.request = std::get<PutRequest>(call.request).request;
  call.error = std::move(error);
  finish(call);
}

ClientError Courier::closed_error(const Call& call) const {
  ClientError error;
  error.code = Code::closed;
  error.message = "the client is closed: open a new one";
  if (call.is_put() && call.operation_ != 0) error.outcome = Outcome::unknown;
  return error;
}

ClientError Courier::timeout_error(const Call& call) const {
  ClientError error;
  error.code = Code::timed_out;
  const bool was_sent = call.operation_ != 0;
  if (was_sent) {
    error.message = ring_->members()[call.member_].name + " did not answer in time";
    error.node = ring_->members()[call.member_].id;
  } else {
    error.message = "no node could be reached in time";
  }
  if (was_sent && call.is_put()) error.outcome = Outcome::unknown;
  error.retryable = error.outcome == Outcome::failed;
  return error;
}

std::optional<std::uint32_t> Courier::member_at(Endpoint endpoint) const {
  const auto at = std::find(endpoints_.begin(), endpoints_.end(), endpoint);
  if (at == endpoints_.end()) return std::nullopt;
  return static_cast<std::uint32_t>(at - endpoints_.begin());
}

void Courier::close() {
  Lock lock(mutex_);
  if (!std::exchange(closed_, true)) {
    for (Batch* const batch : batches_) {
      batch->has_news = true;
      batch->changed.notify_one();
    }
    if (has_leader_) transport_->wake();
  }
  left_.wait(lock, [this] { return batches_.empty(); });
  // Nobody is inside, and nobody gets past `closed_` to the transport.
  transport_->close();
}

std::vector<bool> Courier::members_up() const {
  const std::lock_guard lock(mutex_);
  std::vector<bool> up;
  for (const Peer& peer : peers_) up.push_back(!peer.is_down);
  return up;
}

bool Courier::is_closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

}  // namespace ringwright
