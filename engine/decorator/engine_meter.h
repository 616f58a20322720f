#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/base/histogram.h"
#include "engine/base/status.h"

namespace ringwright {

// The calls of an engine that are counted.
enum class EngineCall : std::uint8_t {
  multi_get = 0,
  write = 1,
  sync = 2,
  iterate = 3,
  drop_range = 4,
  flush = 5,
  checkpoint = 6,
};
constexpr std::size_t engine_calls = 7;
std::string_view engine_call_name(EngineCall call);

// What an engine was asked and how it answered, since it was made. A value.
struct EngineCounts {
  static constexpr std::size_t codes = 32;  // above the largest number of a `Code`

  struct Call {
    // In nanoseconds, of the calls that did not answer `would_block`; of `iterate`, until its first
    // row. A call that was timed also stands for those that were not, since the one before it.
    DurationHistogram durations;
    std::uint64_t untimed = 0;  // that nobody stands for yet
    std::uint64_t would_block = 0;
    std::array<std::uint64_t, codes> errors{};  // by code; of a multi_get, by row

    std::uint64_t total() const { return durations.total() + untimed + would_block; }
    void add_duration(std::optional<std::uint64_t> took);  // nullopt: not timed
  };

  std::array<Call, engine_calls> calls;
  DurationHistogram fsyncs;     // blocking syncs of an engine whose class is `disk`
  CountHistogram read_keys;     // of each multi_get
  CountHistogram batch_writes;  // operations of each write
  std::uint64_t rows_iterated = 0;
  std::uint64_t bytes_read = 0;     // rows answered, and of iterations the keys too
  std::uint64_t bytes_written = 0;  // keys and rows of the batches that were applied
  std::uint64_t stalled_ns = 0;     // in writes that took longer than limits::engine_stall_after

  Call& of(EngineCall call) { return calls[static_cast<std::size_t>(call)]; }
  const Call& of(EngineCall call) const { return calls[static_cast<std::size_t>(call)]; }
  void add(const EngineCounts& other);
};

// Counts from several threads that share nothing while each stays on its own stripe.
//
// To look at the clock twice costs more than all the counting, and as much as a short call. So of
// the calls that may not block, which are short, only some are timed: a random one of eight,
// because a regular one would go in step with the caller.
//
// Invariant: a stripe is touched only by who has taken it. Who finds its stripe taken goes on to
// the next, and nobody keeps one for longer than it takes to add a few numbers.
class EngineMeter {
 public:
  template <typename Change>
  void count(Change&& change) {
    Stripe& stripe = take_one();
    change(stripe.counts);
    stripe.taken.store(false, std::memory_order_release);
  }
  EngineCounts counts() const;

  // Whether a call that may not block is to be timed.
  static bool draws_this_call();

 private:
  static constexpr std::size_t stripe_count = 16;

  struct Thread {
    std::size_t stripe;
    std::uint32_t draws;
  };

  struct alignas(64) Stripe {
    std::atomic<bool> taken{false};
    EngineCounts counts;
  };

  static Thread& this_thread();
  Stripe& take_one();

  mutable std::array<Stripe, stripe_count> stripes_;
};

}  // namespace ringwright
