#include "plugins/wiredtiger/breakable_mutex.h"

namespace ringwright {
namespace {

// Between two looks.
void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

bool BreakableMutex::lock() {
  State seen = State::idle;
  if (state_.compare_exchange_strong(seen, State::held, std::memory_order_acquire)) return true;
  for (int spins = 0; spins < spins_max_ && seen != State::broken; ++spins) {
    pause();
    seen = state_.load(std::memory_order_relaxed);
    if (seen == State::idle &&
        state_.compare_exchange_strong(seen, State::held, std::memory_order_acquire))
      return true;
  }
  // Whoever has slept takes it as awaited, for others may sleep still.
  while (seen != State::broken) {
    if (seen == State::idle) {
      if (state_.compare_exchange_weak(seen, State::awaited, std::memory_order_acquire))
        return true;
    } else if (seen == State::awaited ||
               state_.compare_exchange_weak(seen, State::awaited, std::memory_order_relaxed)) {
      state_.wait(State::awaited, std::memory_order_relaxed);
      seen = state_.load(std::memory_order_relaxed);
    }
  }
  return false;
}

void BreakableMutex::unlock() {
  State seen = State::held;
  while (seen != State::broken)
    if (state_.compare_exchange_weak(seen, State::idle, std::memory_order_release)) {
      if (seen == State::awaited) state_.notify_one();
      return;
    }
}

void BreakableMutex::break_off() {
  state_.store(State::broken);
  state_.notify_all();
}

}  // namespace ringwright
