#include "replication/shard/shard.h"

#include <algorithm>
#include <deque>
#include <type_traits>
#include <utility>
#include <variant>

#include "engine/base/seeded_bug.h"
#include "replication/coordinator/get_operation.h"
#include "replication/coordinator/put_operation.h"
#include "replication/shard/deadlines.h"
#include "replication/shard/handoff.h"
#include "replication/shard/recent_requests.h"
#include "replication/shard/replica_store.h"
#include "replication/shard/slot_table.h"
#include "replication/transport/assembler.h"
#include "replication/version/merge.h"

namespace ringwright {
namespace {

static_assert(SlotTable<int>::id_bits == operation_shard_shift);
constexpr OperationId number_mask = (OperationId{1} << operation_shard_shift) - 1;

// Which fallback rows are this shard's: its share of the tokens.
KeyRange fallback_range(std::uint32_t shard, std::uint32_t shards) {
  const Token stop = shard_start(shard + 1, shards);
  return {
      storage_key_start(RowKind::fallback, shard_start(shard, shards)),
      stop == 0 ? storage_key_start(RowKind::hint) : storage_key_start(RowKind::fallback, stop)};
}

// A timeout comes from outside: anything but a sensible span becomes one.
Nanoseconds bounded_timeout(Nanoseconds asked) {
  return asked > 0 ? std::min(asked, limits::request_deadline_max)
                   : limits::request_deadline_default;
}

// Siblings as a client sees them: live ones only, those of one request with equal bytes once.
std::vector<ShownSibling> shown_siblings(const Record& record, std::uint64_t wall_us) {
  std::vector<const Sibling*> live;
  for (const Sibling& sibling : record.siblings) {
    const auto repeats = [&](const Sibling* other) {
      return !sibling.request.empty() && other->request == sibling.request &&
             other->value == sibling.value;
    };
    if (sibling.is_live(wall_us) && std::none_of(live.begin(), live.end(), repeats))
      live.push_back(&sibling);
  }
  std::vector<ShownSibling> shown;
  shown.reserve(live.size());
  for (const Sibling* sibling : live)
    shown.push_back({sibling->value, sibling->dot, sibling->stamp});
  return shown;
}

}  // namespace

class Shard::Machine {
 public:
  Machine(ShardSettings settings, std::shared_ptr<const NodeState> state);

  void receive(Envelope&& envelope, Moment moment);
  void complete(EngineCompletion&& completion, Moment moment);
  void tick(Moment moment);
  void unreachable(Endpoint endpoint, Moment moment);
  void update(std::shared_ptr<const NodeState> state);
  void take_output(ShardOutput& output);
  Instant next_deadline() const;
  const Counters& counters() const { return counters_; }
  const std::vector<ReplicaCounts>& replica_counts() const { return replica_timer_.counts(); }
  bool may_hold_fallback_rows() const;

 private:
  // Who waits for a client's operation: a client, or a node that sent its request on.
  struct Asker {
    Endpoint endpoint = 0;
    OperationId operation = 0;
    RequestId request;
    Instant arrived = never;     // never: measured by the node that its client asked
    std::uint32_t keyspace = 0;  // by engine index, or past the last: there is none of this name
    RequestKind kind = RequestKind::get;
  };
  struct Put {
    Asker asker;
    PutOperation machine;
    Bytes key;
    std::uint64_t token = 0;  // at the store
    Context context;          // for its client
    Dot dot;
  };
  struct Get {
    Asker asker;
    GetOperation machine;
    Bytes key;
  };
  // A put that was sent on to a node that keeps the key.
  struct Forward {
    Asker asker;
    Bytes key;
    std::uint32_t member;
  };
  // A fallback row on its way to the key's primaries.
  struct Delivery {
    std::size_t keyspace;
    Bytes key;
    Bytes record;
    std::vector<std::uint32_t> waiting_for;
  };
  struct Operation {
    std::variant<Put, Get, Forward, Delivery> what;
    Instant deadline;
  };
  // What a token given to a store stands for.
  struct Pending {
    enum class Kind : std::uint8_t { put, peer_read, peer_write, handoff_scan, handoff_removal };
    Kind kind;
    std::size_t keyspace;
    Endpoint endpoint = 0;
    OperationId operation = 0;
  };
  struct Copies {
    std::shared_ptr<const Keyspace> keyspace;
    ReplicaStore store;
    Handoff handoff;
  };

  // Messages.
  void handle(Endpoint source, GetRequest&& request, Moment moment);
  void handle(Endpoint source, PutRequest&& request, Moment moment);
  void handle(Endpoint source, ClientReply&& reply, Moment moment);
  void handle(Endpoint source, ReplicaRead&& request, Moment moment);
  void handle(Endpoint source, ReplicaReadReply&& reply, Moment moment);
  void handle(Endpoint source, ReplicaWrite&& request, Moment moment);
  void handle(Endpoint source, ReplicaWriteReply&& reply, Moment moment);
  void handle(Endpoint source, ReplicaWriteAcks&& acks, Moment moment);
  void handle(Endpoint source, Fragment&& piece, Moment moment);
  void handle(Endpoint, Ping&&, Moment) {}
  void handle(Endpoint, Pong&&, Moment) {}
  void dispatch(Endpoint source, Timestamp stamp, Message&& message, Moment moment);
  bool is_repeated(Endpoint source, Timestamp stamp, const PutRequest& request, Moment moment);
  template <typename Content>
  void send(Endpoint target, Content&& content);

  // Client operations.
  std::optional<std::size_t> keyspace_index(ByteView name) const;
  Asker asker_of(Endpoint source, const GetRequest& request, Moment moment) const;
  Asker asker_of(Endpoint source, const PutRequest& request, Moment moment) const;
  Status check_request(const Asker& asker, const Bytes& keyspace, const Bytes& key) const;
  Result<PutIntent> intent_of(PutRequest& request, const Keyspace& keyspace, Moment moment);
  std::vector<PreferenceEntry> replicas_of(const Keyspace& keyspace, ByteView key) const;
  void start_put(const Asker& asker, PutRequest&& request, Moment moment);
  void forward_put(const Asker& asker, PutRequest&& request, std::uint32_t member, Moment moment);
  void start_get(const Asker& asker, GetRequest&& request, Moment moment);
  void refuse(const Asker& asker, const Bytes& key, const Answer& answer);
  void note_answer(const Asker& asker, Code code, const Record* found = nullptr);
  OperationId add_operation(Operation&& operation);
  void end_operation(OperationId id);
  Operation* find(OperationId id);
  void advance_put(OperationId id);
  void advance_get(OperationId id, Moment moment);
  void note_answered_get(OperationId id, Moment moment);
  void end_oldest_answered_get(Moment moment);
  bool has_room(Moment moment);
  void repair(const Get& get);
  void member_answered(OperationId id, std::uint32_t member, const Status& status, Bytes* record,
                       Moment moment);
  void expire(OperationId id, Moment moment);

  // The store's events.
  void drain(Moment moment);
  void handle_event(ReplicaStore::Event& event, Moment moment);
  void put_event(const Pending& pending, ReplicaStore::Event& event, Moment moment);
  void send_record(const Put& put, OperationId id, Bytes record, Moment moment);

  void answer_write(Endpoint target, OperationId operation, Code code, const std::string& why);

  // Delivery of fallback rows.
  void advance_handoff(std::size_t index, Moment moment);
  void deliver(std::size_t index, const std::vector<std::pair<Bytes, Bytes>>& rows, Moment moment);
  void start_delivery(std::size_t index, Bytes key, Bytes record, Moment moment);
  void delivery_answered(OperationId id, Delivery& delivery, std::uint32_t member,
                         const Status& status, Moment moment);

  void tell_clock();
  std::uint64_t add_pending(Pending&& pending);
  Endpoint endpoint_of(std::uint32_t member) const;
  std::optional<std::uint32_t> member_at(Endpoint endpoint) const;
  std::string member_name(std::uint32_t member) const;

  ShardSettings settings_;
  std::shared_ptr<const NodeState> state_;
  std::vector<bool> alive_;
  Counters counters_;
  DotIssuer issuer_;
  HybridClock clock_;
  Timestamp told_clock_;  // the node knows that the clock got this far
  Assembler assembler_;
  std::vector<std::unique_ptr<Copies>> copies_;
  SlotTable<Operation> operations_;        // by the operation's number within the shard
  std::deque<OperationId> answered_gets_;  // in this order; some of them have ended since
  Deadlines deadlines_;
  SlotTable<Pending> pending_;
  RecentRequests recent_requests_;
  std::vector<ReplicaStore::Event> events_;  // of one store, while they are handled
  std::vector<Envelope> messages_;
  std::vector<std::pair<Endpoint, ReplicaWriteAcks>> acks_;  // of this wake-up
  std::vector<AnsweredRequest> answered_;
  ReplicaTimer replica_timer_;
  std::uint64_t next_transfer_ = 1;
  Ticket next_ticket_ = 1;
};

// --- composition ---

Shard::Machine::Machine(ShardSettings settings, std::shared_ptr<const NodeState> state)
    : settings_(std::move(settings)),
      issuer_(settings_.node, settings_.start),
      clock_(settings_.clock_floor),
      told_clock_(settings_.clock_floor),
      // Not from 0: a reply to the run before must not look like one to this.
      operations_(settings_.start),
      replica_timer_(settings_.endpoints.size(), settings_.member) {
  for (std::size_t i = 0; i < settings_.keyspaces.size(); ++i) {
    copies_.push_back(std::make_unique<Copies>(
        Copies{settings_.keyspaces[i],
               ReplicaStore(static_cast<EngineIndex>(i), settings_.keyspaces[i],
                            settings_.capabilities[i], issuer_, clock_, counters_),
               Handoff(fallback_range(settings_.shard, settings_.shards))}));
  }
  update(std::move(state));
}

void Shard::Machine::update(std::shared_ptr<const NodeState> state) {
  state_ = std::move(state);
  alive_ = state_->view->alive();
  clock_.set_bound(std::max(clock_.bound(), state_->clock_bound));
}

// Peers' clocks may run ahead of the wall clock from which the node renews the lease by itself.
void Shard::Machine::tell_clock() {
  const std::uint64_t last_us = wall_us_of(clock_.last());
  if (last_us <= wall_us_of(told_clock_) + clock_margin_us ||
      last_us + clock_margin_us <= wall_us_of(clock_.bound()))
    return;
  told_clock_ = clock_.last();
  messages_.push_back({settings_.endpoint, settings_.endpoint, told_clock_, Ping{}});
}

void Shard::Machine::take_output(ShardOutput& output) {
  tell_clock();
  for (auto& [target, acks] : acks_) send(target, std::move(acks));
  acks_.clear();
  output.messages.clear();
  output.messages.swap(messages_);
  output.answered.clear();
  output.answered.swap(answered_);
  output.work.clear();
  for (const auto& copies : copies_) copies->store.take_work(next_ticket_, output.work);
}

Instant Shard::Machine::next_deadline() const {
  Instant next = assembler_.next_deadline();
  next = std::min(next, deadlines_.nearest());
  for (const auto& copies : copies_)
    if (copies->store.may_hold_fallback_rows())
      next = std::min(next, copies->handoff.next_deadline());
  return next;
}

bool Shard::Machine::may_hold_fallback_rows() const {
  return std::any_of(copies_.begin(), copies_.end(),
                     [](const auto& copies) { return copies->store.may_hold_fallback_rows(); });
}

Endpoint Shard::Machine::endpoint_of(std::uint32_t member) const {
  return member == settings_.member ? settings_.endpoint : settings_.endpoints.at(member);
}

std::optional<std::uint32_t> Shard::Machine::member_at(Endpoint endpoint) const {
  if (endpoint == settings_.endpoint) return settings_.member;
  for (std::uint32_t i = 0; i < settings_.endpoints.size(); ++i)
    if (settings_.endpoints[i] == endpoint) return i;
  return std::nullopt;
}

std::string Shard::Machine::member_name(std::uint32_t member) const {
  return state_->view->ring->members().at(member).name;
}

std::uint64_t Shard::Machine::add_pending(Pending&& pending) {
  return pending_.add(std::move(pending));
}

// --- messages ---

void Shard::Machine::receive(Envelope&& envelope, Moment moment) {
  if (envelope.stamp != 0 && !clock_.observe(envelope.stamp, moment.wall_us).is_ok()) {
    counters_.add("ringwright_clock_ahead_refused_total");
    return;
  }
  dispatch(envelope.source, envelope.stamp, std::move(envelope.message), moment);
  drain(moment);
}

void Shard::Machine::dispatch(Endpoint source, Timestamp stamp, Message&& message, Moment moment) {
  const auto* put = std::get_if<PutRequest>(&message);
  if (put != nullptr && is_repeated(source, stamp, *put, moment)) {
    counters_.add("ringwright_repeated_requests_total");
    return;
  }
  std::visit([&](auto& content) { handle(source, std::move(content), moment); }, message);
}

// A put that came before, or that is so old that it may have: the table is bounded and begins
// empty.
bool Shard::Machine::is_repeated(Endpoint source, Timestamp stamp, const PutRequest& request,
                                 Moment moment) {
  if (request.forwarded && stamp != 0) {
    const std::uint64_t sent_us = wall_us_of(stamp);
    const auto timeout_us = static_cast<std::uint64_t>(bounded_timeout(request.timeout) / 1000);
    if (sent_us < settings_.started_us || stamp <= settings_.clock_floor) {
      // The run before may have had it: what that one saw lies below the bound this one began at.
      refuse({source, request.operation, request.request}, request.key,
             {Outcome::unknown,
              {Code::in_doubt, "the node that keeps the key restarted; it may have taken effect"},
              0,
              0});
      return true;
    }
    if (sent_us + timeout_us + limits::clock_ahead_us_max < moment.wall_us) return true;
  }
  return recent_requests_.is_repeat(source, request.operation);
}

// Made in its envelope: a message is large.
template <typename Content>
void Shard::Machine::send(Endpoint target, Content&& content) {
  const Envelope& envelope = messages_.emplace_back(settings_.endpoint, target, clock_.last(),
                                                    std::forward<Content>(content));
  const bool stays = target == settings_.endpoint;
  const bool to_client = std::holds_alternative<ClientReply>(envelope.message);
  if (stays || to_client || message_bytes_bound(envelope.message) <= settings_.frame_bytes_max)
    return;
  const Message whole = std::move(messages_.back().message);
  messages_.pop_back();
  for (Fragment& piece : cut_message(whole, clock_.last(), settings_.start, next_transfer_++,
                                     settings_.frame_bytes_max))
    messages_.emplace_back(settings_.endpoint, target, clock_.last(), std::move(piece));
}

void Shard::Machine::handle(Endpoint source, Fragment&& piece, Moment moment) {
  auto whole = assembler_.add(piece, moment.now);
  if (whole && !std::holds_alternative<Fragment>(whole->message))
    dispatch(source, whole->stamp, std::move(whole->message), moment);
}

void Shard::Machine::handle(Endpoint source, ReplicaRead&& request, Moment) {
  const auto index = keyspace_index(request.keyspace);
  if (!index) {
    send(source, ReplicaReadReply{request.operation, Code::invalid, "no such keyspace", {}});
    return;
  }
  const auto token = add_pending({Pending::Kind::peer_read, *index, source, request.operation});
  copies_[*index]->store.read(token, std::move(request.key));
}

void Shard::Machine::handle(Endpoint source, ReplicaWrite&& request, Moment moment) {
  const auto index = keyspace_index(request.keyspace);
  if (!index) {
    send(source, ReplicaWriteReply{request.operation, Code::invalid, "no such keyspace"});
    return;
  }
  const auto token = add_pending({Pending::Kind::peer_write, *index, source, request.operation});
  copies_[*index]->store.merge(token, request.row, std::move(request.key),
                               std::move(request.record), request.purpose == WritePurpose::heal,
                               moment);
}

void Shard::Machine::handle(Endpoint source, ReplicaReadReply&& reply, Moment moment) {
  const auto member = member_at(source);
  if (!member) return;
  const Status status = reply.code == Code::ok
                            ? Status{}
                            : Status{reply.code, member_name(*member) + ": " + reply.message};
  replica_timer_.answered(*member, reply.operation, moment.now);
  member_answered(reply.operation, *member, status, &reply.record, moment);
}

void Shard::Machine::handle(Endpoint source, ReplicaWriteReply&& reply, Moment moment) {
  const auto member = member_at(source);
  if (!member) return;
  const Status status = reply.code == Code::ok
                            ? Status{}
                            : Status{reply.code, member_name(*member) + ": " + reply.message};
  replica_timer_.answered(*member, reply.operation, moment.now);
  member_answered(reply.operation, *member, status, nullptr, moment);
}

void Shard::Machine::handle(Endpoint source, ReplicaWriteAcks&& acks, Moment moment) {
  const auto member = member_at(source);
  if (!member) return;
  for (const OperationId operation : acks.operations) {
    replica_timer_.answered(*member, operation, moment.now);
    member_answered(operation, *member, ok_status(), nullptr, moment);
  }
}

void Shard::Machine::handle(Endpoint, ClientReply&& reply, Moment moment) {
  Operation* operation = find(reply.operation);
  if (operation == nullptr) return;
  const auto* forward = std::get_if<Forward>(&operation->what);
  if (forward == nullptr) return;
  const OperationId id = reply.operation;
  replica_timer_.answered(forward->member, id, moment.now);
  note_answer(forward->asker, reply.code);
  reply.operation = forward->asker.operation;
  send(forward->asker.endpoint, std::move(reply));
  end_operation(id);
}

void Shard::Machine::member_answered(OperationId id, std::uint32_t member, const Status& status,
                                     Bytes* record, Moment moment) {
  Operation* operation = find(id);
  if (operation == nullptr) return;
  if (auto* get = std::get_if<Get>(&operation->what); get != nullptr && record != nullptr) {
    if (status.is_ok())
      get->machine.answered(member, std::move(*record), get->key);
    else
      get->machine.failed(member, status);
    advance_get(id, moment);
  } else if (auto* put = std::get_if<Put>(&operation->what); put != nullptr && record == nullptr) {
    put->machine.acknowledged(member, status);
    advance_put(id);
  } else if (auto* delivery = std::get_if<Delivery>(&operation->what);
             delivery != nullptr && record == nullptr) {
    delivery_answered(id, *delivery, member, status, moment);
  }
}

void Shard::Machine::unreachable(Endpoint endpoint, Moment moment) {
  const auto member = member_at(endpoint);
  if (!member || *member == settings_.member) return;
  replica_timer_.lost(*member);
  // In deadline order, so that a run can be repeated.
  const auto ids = deadlines_.in_order([this](OperationId id) { return find(id) != nullptr; });
  const Status lost{Code::unavailable, member_name(*member) + ": the connection was lost"};
  for (const OperationId id : ids) {
    Operation* operation = find(id);
    if (operation == nullptr) continue;
    if (auto* forward = std::get_if<Forward>(&operation->what)) {
      if (forward->member == *member) expire(id, moment);
    } else if (auto* get = std::get_if<Get>(&operation->what)) {
      get->machine.failed(*member, lost);
      advance_get(id, moment);
    } else {
      member_answered(id, *member, lost, nullptr, moment);
    }
  }
  drain(moment);
}

// --- client operations ---

std::optional<std::size_t> Shard::Machine::keyspace_index(ByteView name) const {
  for (std::size_t i = 0; i < copies_.size(); ++i)
    if (copies_[i]->keyspace->name == name) return i;
  return std::nullopt;
}

Shard::Machine::Asker Shard::Machine::asker_of(Endpoint source, const GetRequest& request,
                                               Moment moment) const {
  const std::size_t index = keyspace_index(request.keyspace).value_or(copies_.size());
  return {source,          request.operation, {}, moment.now, static_cast<std::uint32_t>(index),
          RequestKind::get};
}

Shard::Machine::Asker Shard::Machine::asker_of(Endpoint source, const PutRequest& request,
                                               Moment moment) const {
  const std::size_t index = keyspace_index(request.keyspace).value_or(copies_.size());
  return {source,
          request.operation,
          request.request,
          request.forwarded ? never : moment.now,
          static_cast<std::uint32_t>(index),
          request.tombstone ? RequestKind::remove : RequestKind::put};
}

Status Shard::Machine::check_request(const Asker& asker, const Bytes& keyspace,
                                     const Bytes& key) const {
  if (asker.keyspace == copies_.size())
    return {Code::invalid, "there is no keyspace named " + printable(keyspace)};
  if (key.empty()) return {Code::invalid, "the key is empty: give it at least one byte"};
  if (key.size() > limits::key_bytes_max)
    return {Code::invalid, "the key has " + std::to_string(key.size()) + " bytes; the limit is " +
                               std::to_string(limits::key_bytes_max)};
  return {};
}

std::vector<PreferenceEntry> Shard::Machine::replicas_of(const Keyspace& keyspace,
                                                         ByteView key) const {
  auto entries = preference_list(*state_->view->ring, token_of(key), keyspace.n, alive_);
  if (!keyspace.sloppy)
    std::erase_if(entries, [](const auto& entry) { return entry.role == Role::fallback; });
  return entries;
}

Shard::Machine::Operation* Shard::Machine::find(OperationId id) {
  return id >> operation_shard_shift == settings_.shard ? operations_.find(id & number_mask)
                                                        : nullptr;
}

OperationId Shard::Machine::add_operation(Operation&& operation) {
  const Instant deadline = operation.deadline;
  const OperationId id =
      OperationId{settings_.shard} << operation_shard_shift | operations_.add(std::move(operation));
  deadlines_.add(deadline, id);
  return id;
}

void Shard::Machine::end_operation(OperationId id) {
  if (find(id) == nullptr) return;
  operations_.erase(id & number_mask);
  deadlines_.note_ended(operations_.size(),
                        [this](OperationId each) { return find(each) != nullptr; });
}

void Shard::Machine::refuse(const Asker& asker, const Bytes& key, const Answer& answer) {
  ClientReply reply;
  reply.operation = asker.operation;
  reply.outcome = answer.outcome;
  reply.code = answer.status.code();
  reply.message = answer.status.message();
  reply.required = answer.required;
  reply.received = answer.received;
  reply.coordinator = settings_.node;
  reply.key = key;
  reply.request = asker.request;
  send(asker.endpoint, std::move(reply));
  note_answer(asker, answer.status.code());
}

// `found`: what a get read. Siblings are counted as the bound on a put counts them.
void Shard::Machine::note_answer(const Asker& asker, Code code, const Record* found) {
  if (asker.arrived == never) return;
  AnsweredRequest& answered = answered_.emplace_back();
  answered.arrived = asker.arrived;
  answered.keyspace = asker.keyspace;
  answered.kind = asker.kind;
  answered.code = code;
  if (found == nullptr) return;
  for (const Sibling& sibling : found->siblings) {
    if (!sibling.tombstone) ++answered.siblings;
    answered.object_bytes += sibling.value.size();
  }
}

void Shard::Machine::handle(Endpoint source, GetRequest&& request, Moment moment) {
  const Asker asker = asker_of(source, request, moment);
  const Status checked = check_request(asker, request.keyspace, request.key);
  if (!checked.is_ok())
    refuse(asker, request.key, {Outcome::failed, checked, 0, 0});
  else
    start_get(asker, std::move(request), moment);
}

void Shard::Machine::start_get(const Asker& asker, GetRequest&& request, Moment moment) {
  const std::size_t index = asker.keyspace;
  const Keyspace& keyspace = *copies_[index]->keyspace;
  const auto r = resolve_level(request.r, keyspace.n, keyspace.r);
  if (!r) return refuse(asker, request.key, {Outcome::failed, r.error(), 0, 0});
  auto entries = replicas_of(keyspace, request.key);
  const auto reachable = static_cast<std::uint32_t>(entries.size());
  if (reachable < *r)
    return refuse(asker, request.key,
                  {Outcome::failed,
                   {Code::unavailable, count_text(reachable, *r) +
                                           " replicas can be reached: retry later or ask for less"},
                   *r,
                   reachable});
  if (!has_room(moment))
    return refuse(asker, request.key,
                  {Outcome::failed, {Code::overloaded, "too many requests in flight"}, *r, 0});
  const auto own = std::find_if(entries.begin(), entries.end(), [this](const auto& entry) {
    return entry.member == settings_.member;
  });
  // The own copy first: it is the nearest.
  if (own != entries.end()) std::rotate(entries.begin(), own, own + 1);
  const std::uint32_t ask = keyspace.fan_out == FanOut::all ? reachable : *r;
  const Nanoseconds timeout = bounded_timeout(request.timeout);
  GetOperation machine(std::move(entries), keyspace.n, *r, ask, keyspace.kind());
  const OperationId id =
      add_operation({Get{asker, std::move(machine), std::move(request.key)}, moment.now + timeout});
  advance_get(id, moment);
}

void Shard::Machine::advance_get(OperationId id, Moment moment) {
  Operation* operation = find(id);
  auto& get = std::get<Get>(operation->what);
  const Keyspace& keyspace = *copies_[get.asker.keyspace]->keyspace;
  for (const std::uint32_t member : get.machine.take_asks()) {
    send(endpoint_of(member), ReplicaRead{id, keyspace.name, get.key});
    replica_timer_.sent(member, ReplicaRequest::read, id, moment.now);
  }
  const auto answer = get.machine.take_answer();
  const bool was_answered = answer.has_value();
  if (answer) {
    if (answer->outcome != Outcome::ok) {
      refuse(get.asker, get.key, *answer);
    } else {
      const Record& merged = get.machine.merged();
      ClientReply reply;
      reply.operation = get.asker.operation;
      reply.required = answer->required;
      reply.received = answer->received;
      reply.coordinator = settings_.node;
      reply.key = get.key;
      reply.siblings = shown_siblings(merged, moment.wall_us);
      if (reply.siblings.size() > 1)
        reply.siblings = keyspace.resolver->resolve(get.key, std::move(reply.siblings));
      reply.context = encode(merged.context(keyspace.name, get.key));
      send(get.asker.endpoint, std::move(reply));
      note_answer(get.asker, Code::ok, &merged);
    }
  }
  if (get.machine.state() != GetOperation::State::finished) {
    if (was_answered) note_answered_get(id, moment);
    return;
  }
  repair(get);
  end_operation(id);
}

// The client has its answer; what is left is to repair by the replicas that lag behind.
void Shard::Machine::note_answered_get(OperationId id, Moment moment) {
  answered_gets_.push_back(id);
  while (find(answered_gets_.front()) == nullptr) answered_gets_.pop_front();
  if (answered_gets_.size() > settings_.operations_max) end_oldest_answered_get(moment);
}

void Shard::Machine::end_oldest_answered_get(Moment moment) {
  const OperationId id = answered_gets_.front();
  answered_gets_.pop_front();
  if (find(id) != nullptr) expire(id, moment);
}

// One replica that lags must not make a healthy quorum refuse: gets that have been answered make
// way for new requests, and repair with what they have heard.
bool Shard::Machine::has_room(Moment moment) {
  while (operations_.size() >= settings_.operations_max && !answered_gets_.empty())
    end_oldest_answered_get(moment);
  return operations_.size() < settings_.operations_max;
}

void Shard::Machine::repair(const Get& get) {
  const Bytes canonical = get.machine.canonical(get.key);
  const auto repairs = get.machine.repairs(canonical);
  if (repairs.empty()) return;
  const Keyspace& keyspace = *copies_[get.asker.keyspace]->keyspace;
  const Bytes record = canonical.empty() ? encode_record(get.machine.merged(), get.key) : canonical;
  for (const auto& each : repairs) {
    counters_.add("ringwright_read_repairs_total");
    const WritePurpose purpose = each.heal ? WritePurpose::heal : WritePurpose::repair;
    send(endpoint_of(each.member),
         ReplicaWrite{0, keyspace.name, get.key, RowKind::data, purpose, record});
  }
}

void Shard::Machine::handle(Endpoint source, PutRequest&& request, Moment moment) {
  const Asker asker = asker_of(source, request, moment);
  const Status checked = check_request(asker, request.keyspace, request.key);
  if (!checked.is_ok())
    refuse(asker, request.key, {Outcome::failed, checked, 0, 0});
  else
    start_put(asker, std::move(request), moment);
}

Result<PutIntent> Shard::Machine::intent_of(PutRequest& request, const Keyspace& keyspace,
                                            Moment moment) {
  if (request.value.size() > keyspace.value_bytes_max)
    return Status{Code::invalid, "the value has " + std::to_string(request.value.size()) +
                                     " bytes; the limit is " +
                                     std::to_string(keyspace.value_bytes_max)};
  PutIntent intent;
  const bool forgets = request.tombstone && seeded_bug(SeededBug::delete_forgets_context);
  if (!request.context.empty() && !forgets) {
    auto context = decode_context(request.context);
    if (!context) return context.error();
    RW_TRY(check_context(*context, keyspace.name, request.key));
    RW_TRY(clock_.observe(context->stamp, moment.wall_us));
    intent.context = std::move(*context);
  } else {
    intent.context = empty_context(keyspace.name, request.key);
  }
  intent.key = request.key;
  intent.value = std::move(request.value);
  intent.tombstone = request.tombstone;
  intent.request = request.request;
  intent.ttl_us = request.ttl_us != 0 ? request.ttl_us : keyspace.ttl_us;
  return intent;
}

void Shard::Machine::start_put(const Asker& asker, PutRequest&& request, Moment moment) {
  const std::size_t index = asker.keyspace;
  const Keyspace& keyspace = *copies_[index]->keyspace;
  const auto w = resolve_level(request.w, keyspace.n, keyspace.w);
  if (!w) return refuse(asker, request.key, {Outcome::failed, w.error(), 0, 0});
  auto entries = replicas_of(keyspace, request.key);
  const auto reachable = static_cast<std::uint32_t>(entries.size());
  const auto own = std::find_if(entries.begin(), entries.end(), [this](const auto& entry) {
    return entry.member == settings_.member;
  });
  if (reachable < *w || (own == entries.end() && request.forwarded))
    return refuse(asker, request.key,
                  {Outcome::failed,
                   {Code::unavailable, count_text(reachable, *w) +
                                           " replicas can be reached: retry later or ask for less"},
                   *w,
                   reachable});
  if (!has_room(moment))
    return refuse(asker, request.key,
                  {Outcome::failed, {Code::overloaded, "too many requests in flight"}, *w, 0});
  if (own == entries.end())
    return forward_put(asker, std::move(request), entries.front().member, moment);
  const RowKind row = own->role == Role::primary ? RowKind::data : RowKind::fallback;
  auto intent = intent_of(request, keyspace, moment);
  if (!intent) return refuse(asker, request.key, {Outcome::failed, intent.error(), *w, 0});
  const Nanoseconds timeout = bounded_timeout(request.timeout);
  PutOperation machine(std::move(entries), settings_.member, *w);
  const OperationId id = add_operation(
      {Put{asker, std::move(machine), std::move(request.key), 0, {}, {}}, moment.now + timeout});
  const auto token = add_pending({Pending::Kind::put, index, 0, id});
  std::get<Put>(find(id)->what).token = token;
  copies_[index]->store.put(token, row, std::move(*intent), moment);
}

void Shard::Machine::forward_put(const Asker& asker, PutRequest&& request, std::uint32_t member,
                                 Moment moment) {
  const Nanoseconds timeout = bounded_timeout(request.timeout);
  request.operation = add_operation({Forward{asker, request.key, member}, moment.now + timeout});
  request.forwarded = true;
  request.timeout = timeout;
  // Stamped with the time of its sending, so that its receiver can tell it from one before its
  // start.
  clock_.observe(timestamp_at(moment.wall_us), moment.wall_us).ignore("wall time is believed");
  replica_timer_.sent(member, ReplicaRequest::forward, request.operation, moment.now);
  send(endpoint_of(member), std::move(request));
}

void Shard::Machine::advance_put(OperationId id) {
  auto& put = std::get<Put>(find(id)->what);
  const auto answer = put.machine.take_answer();
  if (!answer) return;
  if (answer->outcome != Outcome::ok) {
    refuse(put.asker, put.key, *answer);
  } else {
    ClientReply reply;
    reply.operation = put.asker.operation;
    reply.required = answer->required;
    reply.received = answer->received;
    reply.coordinator = settings_.node;
    reply.key = std::move(put.key);
    reply.request = put.asker.request;
    reply.context = encode(put.context);
    reply.dot = put.dot;
    send(put.asker.endpoint, std::move(reply));
    note_answer(put.asker, Code::ok);
  }
  end_operation(id);
}

void Shard::Machine::expire(OperationId id, Moment moment) {
  Operation& operation = *find(id);
  if (auto* get = std::get_if<Get>(&operation.what)) {
    get->machine.deadline_passed();
    advance_get(id, moment);
  } else if (auto* put = std::get_if<Put>(&operation.what)) {
    const bool called_off = copies_[put->asker.keyspace]->store.call_off(put->token);
    put->machine.deadline_passed(!called_off);
    advance_put(id);
  } else if (const auto* forward = std::get_if<Forward>(&operation.what)) {
    refuse(forward->asker, forward->key,
           {Outcome::unknown,
            {Code::timed_out,
             "the node that keeps the key did not answer; it may still take "
             "effect"},
            0,
            0});
    end_operation(id);
  } else {
    copies_[std::get<Delivery>(operation.what).keyspace]->handoff.delivery_ended();
    end_operation(id);
  }
}

void Shard::Machine::tick(Moment moment) {
  while (deadlines_.nearest() <= moment.now) expire(deadlines_.nearest_id(), moment);
  assembler_.tick(moment.now);
  drain(moment);
}

// --- what the stores report ---

void Shard::Machine::complete(EngineCompletion&& completion, Moment moment) {
  // Tickets are the shard's, so one store at most knows this one.
  const auto at = std::find_if(copies_.begin(), copies_.end(), [&](const auto& copies) {
    return copies->store.knows(completion.ticket);
  });
  if (at != copies_.end()) (*at)->store.complete(std::move(completion), moment);
  drain(moment);
}

void Shard::Machine::drain(Moment moment) {
  for (std::size_t i = 0; i < copies_.size(); ++i) {
    advance_handoff(i, moment);
    while (copies_[i]->store.has_events()) {
      copies_[i]->store.take_events(events_);
      for (auto& event : events_) handle_event(event, moment);
      advance_handoff(i, moment);
    }
  }
}

void Shard::Machine::handle_event(ReplicaStore::Event& event, Moment moment) {
  using Kind = ReplicaStore::Event::Kind;
  const Pending* const found = pending_.find(event.token);
  if (found == nullptr) return;
  const Pending pending = *found;
  if (event.kind != Kind::put_applied) pending_.erase(event.token);
  Copies& copies = *copies_[pending.keyspace];
  const Bytes& why = event.status.message();
  switch (pending.kind) {
    case Pending::Kind::put:
      put_event(pending, event, moment);
      break;
    case Pending::Kind::peer_read:
      send(pending.endpoint,
           ReplicaReadReply{pending.operation, event.status.code(), why, std::move(event.record)});
      break;
    case Pending::Kind::peer_write:
      if (pending.operation != 0)
        answer_write(pending.endpoint, pending.operation, event.status.code(), why);
      break;
    case Pending::Kind::handoff_scan:
      copies.handoff.scanned(event.status, event.rows, moment.now);
      deliver(pending.keyspace, event.rows, moment);
      break;
    case Pending::Kind::handoff_removal:
      if (event.status.is_ok()) counters_.add("ringwright_fallback_rows_delivered_total");
      copies.handoff.delivery_ended();
      break;
  }
}

void Shard::Machine::put_event(const Pending& pending, ReplicaStore::Event& event, Moment moment) {
  Operation* operation = find(pending.operation);
  if (operation == nullptr) return;
  auto& put = std::get<Put>(operation->what);
  switch (event.kind) {
    case ReplicaStore::Event::Kind::put_applied:
      put.context = std::move(event.context);
      put.dot = event.dot;
      put.machine.own_applied();
      send_record(put, pending.operation, std::move(event.record), moment);
      break;
    case ReplicaStore::Event::Kind::durable:
      put.machine.acknowledged(settings_.member, event.status);
      break;
    case ReplicaStore::Event::Kind::put_doubtful:
      put.machine.own_in_doubt({Code::in_doubt, "the coordinator's own write is in doubt (" +
                                                    event.status.to_string() +
                                                    "); it may still take effect"});
      break;
    default:
      put.machine.own_refused(std::move(event.status));
      break;
  }
  advance_put(pending.operation);
}

void Shard::Machine::send_record(const Put& put, OperationId id, Bytes record, Moment moment) {
  const auto& replicas = put.machine.replicas();
  std::size_t left = replicas.size() - 1;
  for (const PreferenceEntry& entry : replicas) {
    if (entry.member == settings_.member) continue;
    const RowKind row = entry.role == Role::primary ? RowKind::data : RowKind::fallback;
    // The last one takes the bytes themselves.
    Bytes whole = --left == 0 ? std::move(record) : record;
    send(endpoint_of(entry.member),
         ReplicaWrite{id, copies_[put.asker.keyspace]->keyspace->name, put.key, row,
                      WritePurpose::put, std::move(whole)});
    replica_timer_.sent(entry.member, ReplicaRequest::write, id, moment.now);
  }
}

// A write that is done shares its message with others of the wake-up: half of all that nodes send
// each other says only that.
void Shard::Machine::answer_write(Endpoint target, OperationId operation, Code code,
                                  const std::string& why) {
  if (code != Code::ok) {
    send(target, ReplicaWriteReply{operation, code, why});
    return;
  }
  const auto shares = [&](const auto& each) {
    return each.first == target && each.second.operations.front() >> operation_shard_shift ==
                                       operation >> operation_shard_shift;
  };
  auto at = std::find_if(acks_.begin(), acks_.end(), shares);
  if (at == acks_.end()) at = acks_.insert(acks_.end(), {target, {}});
  at->second.operations.push_back(operation);
}

// --- delivery of fallback rows ---

void Shard::Machine::advance_handoff(std::size_t index, Moment moment) {
  Copies& copies = *copies_[index];
  if (!copies.store.may_hold_fallback_rows()) return;
  if (auto page = copies.handoff.take_scan(moment.now, copies.store.fallback_writes())) {
    const auto token = add_pending({Pending::Kind::handoff_scan, index, 0, 0});
    copies.store.scan(token, std::move(*page), limits::handoff_rows_in_flight);
  }
  if (const auto at_count = copies.handoff.take_found_none())
    copies.store.no_fallback_rows(*at_count);
}

void Shard::Machine::deliver(std::size_t index, const std::vector<std::pair<Bytes, Bytes>>& rows,
                             Moment moment) {
  for (const auto& [stored_key, row] : rows) {
    const auto record = canonical_of(row);
    const Bytes key(user_key(stored_key));
    if (!record || !verify_record(*record, key).is_ok()) {
      counters_.add("ringwright_corrupt_records_total");
      continue;
    }
    start_delivery(index, key, Bytes(*record), moment);
  }
}

void Shard::Machine::start_delivery(std::size_t index, Bytes key, Bytes record, Moment moment) {
  Copies& copies = *copies_[index];
  const auto owners = primaries(*state_->view->ring, token_of(key), copies.keyspace->n);
  const bool reachable = std::all_of(owners.begin(), owners.end(),
                                     [this](std::uint32_t member) { return alive_[member]; });
  if (!reachable || operations_.size() >= settings_.operations_max) return;
  const OperationId id =
      add_operation({Delivery{index, key, record, owners}, moment.now + limits::handoff_deadline});
  copies.handoff.delivery_started();
  for (const std::uint32_t member : owners) {
    send(endpoint_of(member), ReplicaWrite{id, copies.keyspace->name, key, RowKind::data,
                                           WritePurpose::handoff, record});
    replica_timer_.sent(member, ReplicaRequest::handoff, id, moment.now);
  }
}

void Shard::Machine::delivery_answered(OperationId id, Delivery& delivery, std::uint32_t member,
                                       const Status& status, Moment moment) {
  const auto at = std::find(delivery.waiting_for.begin(), delivery.waiting_for.end(), member);
  if (at == delivery.waiting_for.end()) return;
  if (!status.is_ok()) return expire(id, moment);
  delivery.waiting_for.erase(at);
  if (!delivery.waiting_for.empty()) return;
  // Every primary has it durably: the row may go, if it still is what they have.
  const std::size_t index = delivery.keyspace;
  const auto token = add_pending({Pending::Kind::handoff_removal, index, 0, 0});
  Bytes key = std::move(delivery.key);
  Bytes record = std::move(delivery.record);
  end_operation(id);
  copies_[index]->store.remove_delivered(token, std::move(key), std::move(record), moment);
}

// --- the public face ---

Shard::Shard(ShardSettings settings, std::shared_ptr<const NodeState> state)
    : machine_(std::make_unique<Machine>(std::move(settings), std::move(state))) {}
Shard::~Shard() = default;

void Shard::receive(Envelope&& envelope, Moment moment) {
  machine_->receive(std::move(envelope), moment);
}
void Shard::complete(EngineCompletion&& completion, Moment moment) {
  machine_->complete(std::move(completion), moment);
}
void Shard::tick(Moment moment) { machine_->tick(moment); }
void Shard::unreachable(Endpoint endpoint, Moment moment) {
  machine_->unreachable(endpoint, moment);
}
void Shard::update(std::shared_ptr<const NodeState> state) { machine_->update(std::move(state)); }
void Shard::take_output(ShardOutput& output) { machine_->take_output(output); }
Instant Shard::next_deadline() const { return machine_->next_deadline(); }
const Counters& Shard::counters() const { return machine_->counters(); }
const std::vector<ReplicaCounts>& Shard::replica_counts() const {
  return machine_->replica_counts();
}
bool Shard::may_hold_fallback_rows() const { return machine_->may_hold_fallback_rows(); }

}  // namespace ringwright
