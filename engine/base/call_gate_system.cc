#include <chrono>
#include <thread>

#include "engine/base/call_gate.h"

namespace ringwright {
namespace {

constexpr std::chrono::microseconds poll_interval{100};
constexpr Nanoseconds one_turn = seconds(60);  // of a wait without an end

}  // namespace

std::size_t thread_number() {
  static std::atomic<std::size_t> threads{0};
  static thread_local const std::size_t mine = threads.fetch_add(1);
  return mine;
}

void CallGate::shut() {
  while (!shut_within(one_turn)) continue;
}

bool CallGate::shut_within(Nanoseconds wait) {
  open_.store(false);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(wait);
  for (Counter& counter : counters_)
    while (counter.inside.load() != 0) {
      if (std::chrono::steady_clock::now() >= deadline) return false;
      std::this_thread::sleep_for(poll_interval);
    }
  return true;
}

}  // namespace ringwright
