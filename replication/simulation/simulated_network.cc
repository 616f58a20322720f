#include "replication/simulation/simulated_network.h"

#include <cmath>

#include "engine/base/check.h"
#include "engine/base/hash.h"

namespace ringwright {
namespace {

constexpr std::string_view type_names[] = {
    "GetRequest",      "PutRequest",        "ClientReply", "ReplicaRead", "ReplicaReadReply",
    "ReplicaWrite",    "ReplicaWriteReply", "Ping",        "Pong",        "Fragment",
    "ReplicaWriteAcks"};
static_assert(std::size(type_names) == std::variant_size_v<Message>);

bool is_beat(const Message& message) {
  return std::holds_alternative<Ping>(message) || std::holds_alternative<Pong>(message);
}

// A client's own request: only the client repeats it, and then it knows that it did.
bool is_client_request(const Message& message) {
  if (const auto* put = std::get_if<PutRequest>(&message)) return !put->forwarded;
  return std::holds_alternative<GetRequest>(message);
}

}  // namespace

std::string_view message_type_name(const Message& message) { return type_names[message.index()]; }

ByteView message_key(const Message& message) {
  return std::visit(
      [](const auto& typed) -> ByteView {
        if constexpr (requires { typed.key; })
          return typed.key;
        else
          return {};
      },
      message);
}

SimulatedNetwork::SimulatedNetwork(EventQueue& queue, Trace& trace, NetworkSettings settings,
                                   SeededRandom random)
    : queue_(queue), trace_(trace), settings_(settings), random_(random) {}

void SimulatedNetwork::attach(Endpoint endpoint, Deliver deliver, Refuse refuse) {
  ports_[endpoint] = {std::move(deliver), std::move(refuse)};
}

void SimulatedNetwork::detach(Endpoint endpoint) { ports_.erase(endpoint); }

void SimulatedNetwork::send(Envelope envelope) {
  ++sent_;
  // Beats are told apart by their stamp alone; they are the bulk of all messages.
  const bool beat = is_beat(envelope.message);
  std::uint64_t hash = envelope.stamp ^ envelope.message.index();
  if (!beat || settings_.true_bytes) {
    const Bytes bytes = encode_message(envelope.stamp, envelope.message);
    hash = hash64(bytes);
    if (settings_.true_bytes) {
      RW_CHECK(bytes.size() <= message_bytes_bound(envelope.message));
      auto decoded = decode_message(bytes);
      RW_CHECK(decoded.has_value());
      envelope.stamp = decoded->stamp;
      envelope.message = std::move(decoded->message);
    }
  }
  trace_.add(queue_.now(), TraceKind::sent,
             static_cast<std::uint64_t>(envelope.source) << 32 ^ envelope.target, hash);
  if (observer_) observer_(envelope, false);
  if (!rules_.empty() && follows_rule(envelope, hash)) return;
  carry(std::move(envelope), hash);
}

bool SimulatedNetwork::follows_rule(Envelope& envelope, std::uint64_t hash) {
  for (auto& [id, active] : rules_) {
    const MessageRule& rule = active.rule;
    if (!active.active || active.matched >= rule.count) continue;
    if (rule.source && *rule.source != envelope.source) continue;
    if (rule.target && *rule.target != envelope.target) continue;
    if (!rule.type.empty() && rule.type != message_type_name(envelope.message)) continue;
    if (!rule.key.empty() && rule.key != message_key(envelope.message)) continue;
    if (active.seen++ < rule.skip) continue;
    ++active.matched;
    switch (rule.action) {
      case MessageRule::Action::drop:
        ++lost_;
        break;
      case MessageRule::Action::hold:
        active.held.emplace_back(std::move(envelope), hash);
        break;
      case MessageRule::Action::delay:
        queue_.after(rule.delay, [this, late = std::move(envelope), hash]() mutable {
          carry(std::move(late), hash);
        });
        break;
    }
    return true;
  }
  return false;
}

void SimulatedNetwork::carry(Envelope envelope, std::uint64_t hash) {
  if (envelope.source == envelope.target) {
    queue_.after(settings_.self_delay, [this, whole = std::move(envelope), hash]() mutable {
      arrive(std::move(whole), hash);
    });
    return;
  }
  if ((!cuts_.empty() && cuts_.contains({envelope.source, envelope.target})) ||
      (settings_.loss > 0 && random_.chance(settings_.loss))) {
    ++lost_;
    trace_.add(queue_.now(), TraceKind::lost, envelope.target, hash);
    return;
  }
  const bool may_repeat = !is_client_request(envelope.message);
  if (may_repeat && settings_.duplication > 0 && random_.chance(settings_.duplication)) {
    queue_.after(draw_delay(), [this, copy = envelope, hash] { arrive(copy, hash); });
  }
  if (may_repeat && settings_.replay > 0 && random_.chance(settings_.replay)) {
    queue_.after(random_.between(0, settings_.replay_after_max),
                 [this, copy = envelope, hash] { arrive(copy, hash); });
  }
  queue_.after(draw_delay(), [this, whole = std::move(envelope), hash]() mutable {
    arrive(std::move(whole), hash);
  });
}

Nanoseconds SimulatedNetwork::draw_delay() {
  if (settings_.tail > 0 && random_.chance(settings_.tail))
    return random_.between(settings_.delay_min, settings_.tail_max);
  // The sum of four uniform draws: no library function whose last digit depends on the machine.
  std::int64_t sum = 0;
  for (int i = 0; i < 4; ++i) sum += random_.between(0, settings_.delay_mean / 2);
  return settings_.delay_min + sum;
}

void SimulatedNetwork::arrive(Envelope envelope, std::uint64_t hash) {
  const auto port = ports_.find(envelope.target);
  if (port == ports_.end()) {
    ++lost_;
    if (settings_.refusal > 0 && random_.chance(settings_.refusal))
      refuse(envelope.source, envelope.target);
    return;
  }
  ++delivered_;
  trace_.add(queue_.now(), TraceKind::delivered, envelope.target, hash);
  if (observer_) observer_(envelope, true);
  // The receiver may detach itself while it runs.
  const Deliver deliver = port->second.deliver;
  deliver(std::move(envelope));
}

void SimulatedNetwork::refuse(Endpoint source, Endpoint target) {
  if (cuts_.contains({target, source})) return;
  queue_.after(draw_delay(), [this, source, target] {
    const auto port = ports_.find(source);
    if (port == ports_.end() || !port->second.refuse) return;
    const Refuse told = port->second.refuse;
    told(target);
  });
}

RuleId SimulatedNetwork::add_rule(MessageRule rule) {
  rules_[next_rule_].rule = std::move(rule);
  return next_rule_++;
}

void SimulatedNetwork::release(RuleId rule) {
  const auto at = rules_.find(rule);
  if (at == rules_.end()) return;
  at->second.active = false;
  auto held = std::move(at->second.held);
  at->second.held.clear();
  for (auto& [envelope, hash] : held) carry(std::move(envelope), hash);
}

void SimulatedNetwork::discard(RuleId rule) {
  const auto at = rules_.find(rule);
  if (at == rules_.end()) return;
  at->second.active = false;
  lost_ += at->second.held.size();
  at->second.held.clear();
}

std::uint64_t SimulatedNetwork::matched(RuleId rule) const {
  const auto at = rules_.find(rule);
  return at == rules_.end() ? 0 : at->second.matched;
}

void SimulatedNetwork::release_all() {
  for (auto& [id, rule] : rules_) release(id);
}

}  // namespace ringwright
