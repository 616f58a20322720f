#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/random.h"
#include "replication/simulation/event_queue.h"
#include "replication/simulation/trace.h"
#include "replication/transport/message.h"

namespace ringwright {

// How the links behave on average; shares are probabilities from 0 to 1.
struct NetworkSettings {
  double loss = 0;
  double duplication = 0;
  double replay = 0;  // of messages that come once more, much later
  Nanoseconds replay_after_max = seconds(20);
  Nanoseconds delay_min = microseconds(100);   // one way
  Nanoseconds delay_mean = microseconds(200);  // added to it, bell-shaped
  double tail = 0;                             // share of messages that take up to tail_max
  Nanoseconds tail_max = seconds(2);
  Nanoseconds self_delay = microseconds(5);  // of what a node sends to itself; in order, never lost
  bool true_bytes = false;  // every message is encoded and decoded again on its way
  double refusal = 0;       // share of messages to nobody whose sender is told `unreachable`
};

// A script for messages between two endpoints: what it matches is held back, dropped or delayed.
struct MessageRule {
  enum class Action : std::uint8_t { hold, drop, delay };
  Action action = Action::hold;
  std::optional<Endpoint> source;  // nullopt: any
  std::optional<Endpoint> target;
  std::string type;                  // "ReplicaWrite"; empty: any
  Bytes key;                         // of a message that has one; empty: any
  std::uint64_t skip = 0;            // lets that many pass first
  std::uint64_t count = UINT64_MAX;  // then acts on at most so many
  Nanoseconds delay = 0;
};
using RuleId = std::uint64_t;

// Directed links between endpoints in virtual time. A message is lost, delayed, repeated or
// scripted as the settings, cuts and rules say; order is kept only on the link of an endpoint to
// itself, and a client's own request is never repeated: its channel is a connection, and only the
// client itself asks again. A cut works on what is sent from then on: what is on its way arrives.
class SimulatedNetwork {
 public:
  using Deliver = std::function<void(Envelope)>;
  using Refuse = std::function<void(Endpoint)>;
  // Every envelope twice: when it is sent (also if it gets lost) and when it is delivered.
  using Observer = std::function<void(const Envelope&, bool delivered)>;

  SimulatedNetwork(EventQueue& queue, Trace& trace, NetworkSettings settings, SeededRandom random);

  void attach(Endpoint endpoint, Deliver deliver, Refuse refuse = {});
  void detach(Endpoint endpoint);
  void send(Envelope envelope);
  void observe(Observer observer) { observer_ = std::move(observer); }

  void cut(Endpoint source, Endpoint target) { cuts_.insert({source, target}); }
  void mend(Endpoint source, Endpoint target) { cuts_.erase({source, target}); }
  void mend_all() { cuts_.clear(); }

  RuleId add_rule(MessageRule rule);
  // The rule no longer acts; what it holds goes on its way now.
  void release(RuleId rule);
  // The rule no longer acts; what it holds is lost.
  void discard(RuleId rule);
  std::uint64_t matched(RuleId rule) const;
  void release_all();

  NetworkSettings& settings() { return settings_; }
  std::uint64_t sent() const { return sent_; }
  std::uint64_t lost() const { return lost_; }
  std::uint64_t delivered() const { return delivered_; }

 private:
  struct Port {
    Deliver deliver;
    Refuse refuse;
  };
  struct ActiveRule {
    MessageRule rule;
    std::uint64_t seen = 0;
    std::uint64_t matched = 0;
    std::vector<std::pair<Envelope, std::uint64_t>> held;
    bool active = true;
  };

  // True when a rule took the envelope.
  bool follows_rule(Envelope& envelope, std::uint64_t hash);
  void carry(Envelope envelope, std::uint64_t hash);
  void arrive(Envelope envelope, std::uint64_t hash);
  void refuse(Endpoint source, Endpoint target);
  Nanoseconds draw_delay();

  EventQueue& queue_;
  Trace& trace_;
  NetworkSettings settings_;
  SeededRandom random_;
  Observer observer_;
  std::map<Endpoint, Port> ports_;
  std::set<std::pair<Endpoint, Endpoint>> cuts_;
  std::map<RuleId, ActiveRule> rules_;
  RuleId next_rule_ = 1;
  std::uint64_t sent_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t delivered_ = 0;
};

// "ReplicaWrite".
std::string_view message_type_name(const Message& message);
// Empty when the message has none.
ByteView message_key(const Message& message);

}  // namespace ringwright
