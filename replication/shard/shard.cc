#include "replication/shard/shard.h"

#include <algorithm>

#include "replication/shard/shard_machine.h"

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

}  // namespace

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

std::optional<std::size_t> Shard::Machine::keyspace_index(ByteView name) const {
  for (std::size_t i = 0; i < copies_.size(); ++i)
    if (copies_[i]->keyspace->name == name) return i;
  return std::nullopt;
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

// --- operations in flight ---

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
