#include <algorithm>

#include "engine/base/seeded_bug.h"
#include "replication/shard/shard_machine.h"

namespace ringwright {
namespace {

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

// --- requests and their answers ---

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

// --- gets ---

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

// --- puts ---

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

}  // namespace ringwright
