#pragma once

#include <atomic>

namespace ringwright {

// A mutex whose waiters can be sent away: its holder may be in a library call that never returns.
class BreakableMutex {
 public:
  // Whoever waits looks so often before it sleeps.
  explicit BreakableMutex(int spins_max = 0) : spins_max_(spins_max) {}

  // Held for the length of a scope; false when the mutex is broken.
  class Hold {
   public:
    explicit Hold(BreakableMutex& mutex) : mutex_(mutex), held_(mutex.lock()) {}
    ~Hold() {
      if (held_) mutex_.unlock();
    }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    explicit operator bool() const { return held_; }

   private:
    BreakableMutex& mutex_;
    const bool held_;
  };

  // From now on nobody gets it. Whoever holds it keeps it.
  void break_off();
  // With neither holder nor waiters: makes it whole again.
  void mend() { state_.store(State::idle); }

 private:
  enum class State : int { idle, held, awaited, broken };  // awaited: held, and somebody sleeps

  bool lock();
  void unlock();

  const int spins_max_;
  std::atomic<State> state_{State::idle};
};

}  // namespace ringwright
