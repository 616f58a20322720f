#include "engine/decorator/engine_meter.h"

#include <thread>
#include <utility>

namespace ringwright {

std::string_view engine_call_name(EngineCall call) {
  switch (call) {
    case EngineCall::multi_get:
      return "multi_get";
    case EngineCall::write:
      return "write";
    case EngineCall::sync:
      return "sync";
    case EngineCall::iterate:
      return "iterate";
    case EngineCall::drop_range:
      return "drop_range";
    case EngineCall::flush:
      return "flush";
    case EngineCall::checkpoint:
      return "checkpoint";
  }
  return "unknown_call";
}

void EngineCounts::Call::add_duration(std::optional<std::uint64_t> took) {
  if (!took)
    ++untimed;
  else
    durations.add(*took, 1 + std::exchange(untimed, 0));
}

void EngineCounts::add(const EngineCounts& other) {
  for (std::size_t i = 0; i < engine_calls; ++i) {
    calls[i].durations.add(other.calls[i].durations);
    calls[i].untimed += other.calls[i].untimed;
    calls[i].would_block += other.calls[i].would_block;
    for (std::size_t code = 0; code < codes; ++code)
      calls[i].errors[code] += other.calls[i].errors[code];
  }
  fsyncs.add(other.fsyncs);
  read_keys.add(other.read_keys);
  batch_writes.add(other.batch_writes);
  rows_iterated += other.rows_iterated;
  bytes_read += other.bytes_read;
  bytes_written += other.bytes_written;
  stalled_ns += other.stalled_ns;
}

EngineMeter::Thread& EngineMeter::this_thread() {
  static std::atomic<std::size_t> threads{0};
  static thread_local Thread own = [] {
    const std::size_t number = threads.fetch_add(1, std::memory_order_relaxed);
    return Thread{number, static_cast<std::uint32_t>(number)};
  }();
  return own;
}

// A linear congruential generator does for a choice that nobody works against; its high bits are
// the good ones.
bool EngineMeter::draws_this_call() {
  std::uint32_t& draws = this_thread().draws;
  draws = draws * 1'664'525 + 1'013'904'223;
  return draws >> 29 == 0;
}

EngineMeter::Stripe& EngineMeter::take_one() {
  for (std::size_t at = this_thread().stripe;; ++at) {
    Stripe& stripe = stripes_[at % stripe_count];
    if (!stripe.taken.exchange(true, std::memory_order_acquire)) return stripe;
  }
}

EngineCounts EngineMeter::counts() const {
  EngineCounts sum;
  for (Stripe& stripe : stripes_) {
    while (stripe.taken.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
    sum.add(stripe.counts);
    stripe.taken.store(false, std::memory_order_release);
  }
  return sum;
}

}  // namespace ringwright
