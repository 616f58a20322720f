#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "engine/base/clock.h"
#include "replication/transport/transport.h"

namespace ringwright {

// Which directed links between endpoints are cut or slow. Shared by the transports of a network and
// whoever plays with them; safe to call from any thread, and a change holds for every message that
// is sent or is due afterwards.
class LinkTable {
 public:
  struct Link {
    bool cut = false;
    Nanoseconds delay = 0;
    bool is_sound() const { return !cut && delay == 0; }
  };

  void cut(Endpoint from, Endpoint to);
  void delay(Endpoint from, Endpoint to, Nanoseconds delay);
  // Replaces the links that the last call of this cut; other cuts stay.
  void partition(std::vector<std::pair<Endpoint, Endpoint>> links);
  // Mends everything.
  void heal();
  using Links = std::map<std::pair<Endpoint, Endpoint>, Link>;  // by (from, to)
  // At once instead of all that there was.
  void replace(Links links);

  // False as long as every link is sound: then nothing need be asked.
  bool any() const { return any_.load(std::memory_order_acquire); }
  Link link(Endpoint from, Endpoint to) const;

 private:
  using Key = std::pair<Endpoint, Endpoint>;

  void update_any();

  mutable std::mutex mutex_;    // guards links_, partition_
  Links links_;                 // only those that are not sound
  std::vector<Key> partition_;  // sorted
  std::atomic<bool> any_{false};
};

// Cuts and delays what goes over another transport. A cut link loses messages in silence, also
// those that arrive over it: so a cut that only one of the two ends knows of holds in both
// directions. A slow link holds what goes out, in order, until it is due. What is held counts
// toward limits::delayed_messages_max; above that it is lost.
class FaultyTransport final : public Transport {
 public:
  FaultyTransport(std::unique_ptr<Transport> inner, std::shared_ptr<LinkTable> links,
                  std::shared_ptr<Clock> clock);

  void poll(Instant until, const Sink& sink) override;
  void send(std::vector<Envelope>& envelopes) override;
  void wake() override { inner_->wake(); }
  void close() override;
  std::vector<std::pair<std::string, std::uint64_t>> counters() const override {
    return inner_->counters();
  }

 private:
  void release_due();

  const std::unique_ptr<Transport> inner_;
  const std::shared_ptr<LinkTable> links_;
  const std::shared_ptr<Clock> clock_;
  std::multimap<Instant, Envelope> held_;  // by when they are due; equal instants in sending order
  const Sink* receiver_ = nullptr;         // of the poll that is running
  const Sink filter_;
};

}  // namespace ringwright
