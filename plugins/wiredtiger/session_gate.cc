#include "plugins/wiredtiger/session_gate.h"

#include <chrono>
#include <thread>

namespace ringwright {
namespace {

constexpr std::chrono::microseconds poll_interval{100};

}  // namespace

void SessionGate::Call::count(SessionGate& gate) {
  slot_ = nullptr;
  session_ = nullptr;
  pass_.emplace(gate.counted_);
  inside_ = static_cast<bool>(*pass_);
}

NativeSession* SessionGate::Call::take_session(SessionPool& pool, int& error) {
  pool_ = &pool;
  return session_ = pool.take(error);
}

SessionPool::Lease SessionGate::Call::take_along(SessionPool& pool, int& error) {
  return {pool, session(pool, error) == nullptr ? nullptr : std::exchange(session_, nullptr)};
}

void SessionGate::open() {
  counted_.open();
  open_.store(true);
}

bool SessionGate::shut_within(Nanoseconds wait) {
  counted_.shut_within(0);
  open_.store(false);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(wait);
  for (Slot& slot : slots_)
    while (slot.session.load() == taken()) {
      if (std::chrono::steady_clock::now() >= deadline) return false;
      std::this_thread::sleep_for(poll_interval);
    }
  const std::chrono::nanoseconds left = deadline - std::chrono::steady_clock::now();
  return counted_.shut_within(left.count());
}

// A caller that finds the gate shut has its slot for a moment, and puts back what it took.
void SessionGate::forget_sessions() {
  for (Slot& slot : slots_) {
    NativeSession* seen = slot.session.load();
    while (seen == taken() || !slot.session.compare_exchange_weak(seen, nullptr)) {
      std::this_thread::yield();
      seen = slot.session.load();
    }
  }
}

}  // namespace ringwright
