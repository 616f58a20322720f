#include <chrono>
#include <thread>

#include "engine/base/call_gate.h"

namespace ringwright {
namespace {

constexpr std::chrono::microseconds poll_interval{100};

}  // namespace

std::size_t thread_number() {
  static std::atomic<std::size_t> threads{0};
  static thread_local const std::size_t mine = threads.fetch_add(1);
  return mine;
}

void CallGate::shut() {
  open_.store(false);
  for (Counter& counter : counters_)
    while (counter.inside.load() != 0) std::this_thread::sleep_for(poll_interval);
}

}  // namespace ringwright
