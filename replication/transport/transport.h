#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/time.h"
#include "replication/transport/message.h"

namespace ringwright {

// Carries envelopes between endpoints. One instance belongs to one thread, which calls everything
// but `wake`. A transport may lose, repeat, reorder and delay; it never alters.
class Transport {
 public:
  virtual ~Transport() = default;

  struct Sink {
    std::function<void(Envelope&&)> deliver;
    // The connection to the endpoint is lost or refused; what was sent there may not have arrived.
    std::function<void(Endpoint)> unreachable;
    // A client's request that certainly never left: it comes before the `unreachable` that it goes
    // with. Not every transport can tell; who does not want to know leaves it empty.
    std::function<void(OperationId)> unsent = {};
  };

  // Delivers what has arrived in one wake-up; with nothing there, waits until some comes, `wake` is
  // called or the instant is reached. It may also return for nothing: poll again.
  virtual void poll(Instant until, const Sink& sink) = 0;
  // Never blocks. Takes all of them and leaves the vector empty with its room, for the next time;
  // past the bound of a target's queue they are dropped.
  virtual void send(std::vector<Envelope>& envelopes) = 0;
  // From any thread: makes the present or next `poll` return.
  virtual void wake() = 0;
  virtual void close() = 0;
  // What it counted until now, in the names that users see (`ringwright_..._total`).
  virtual std::vector<std::pair<std::string, std::uint64_t>> counters() const { return {}; }
};

}  // namespace ringwright
