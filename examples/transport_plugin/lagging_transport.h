#pragma once

#include <engine/base/clock.h>
#include <engine/base/random.h>
#include <replication/transport/transport.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace lagging {

namespace rw = ringwright;

// Each envelope is held for the latency and for a part of the jitter, drawn for it alone.
struct Lag {
  rw::Nanoseconds latency = 0;
  rw::Nanoseconds jitter = 0;
  std::uint64_t seed = 0;  // decides the draws
};

constexpr rw::Nanoseconds lag_max = rw::seconds(60);
// Envelopes on their way to one target; what comes above that is dropped and counted.
constexpr std::size_t held_max = 65536;

// Sends over another transport what was handed to it a while ago. An envelope is at least as late
// as the lag says; those to one target keep their order, as on one connection, so one that drew
// little waits for those before it. What a node sends itself does not lag, nor does the news that
// somebody is unreachable. What is held leaves within `poll` and `send`, and is lost at `close`.
//
// Contract and threads: replication/transport/transport.h.
class LaggingTransport final : public rw::Transport {
 public:
  // `name` sets its draws apart from those of other transports with the same seed.
  LaggingTransport(std::unique_ptr<rw::Transport> inner, const Lag& lag, const std::string& name,
                   std::shared_ptr<rw::Clock> clock);

  void poll(rw::Instant until, const Sink& sink) override;
  void send(std::vector<rw::Envelope>& envelopes) override;
  void wake() override { inner_->wake(); }
  void close() override;
  std::vector<std::pair<std::string, std::uint64_t>> counters() const override;

 private:
  struct Held {
    rw::Instant due = 0;
    rw::Envelope envelope;
  };

  // Sends what is due; returns when the next will be.
  rw::Instant release();

  const std::unique_ptr<rw::Transport> inner_;
  const Lag lag_;
  const std::shared_ptr<rw::Clock> clock_;
  rw::SeededRandom random_;
  std::map<rw::Endpoint, std::deque<Held>> held_;  // by target, in sending order; none is empty
  std::vector<rw::Envelope> due_;                  // empty; kept for its room
  std::uint64_t held_total_ = 0;
  std::uint64_t dropped_total_ = 0;
};

}  // namespace lagging
