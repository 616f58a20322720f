#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <optional>

#include "engine/base/call_gate.h"
#include "plugins/wiredtiger/session_pool.h"

namespace ringwright {

// Lets calls through while open, lets `shut_within` wait for those inside, and keeps a session for
// each thread from call to call. Who has taken the session is inside, so that a call costs one
// atomic exchange on its way in and a store on its way out, both in a cache line of its thread's.
// A thread that finds its slot taken, for it shares it with others, is counted instead.
//
// Invariant, in the one total order of seq_cst operations: a caller takes its slot before it looks
// whether the gate is open, and `shut_within` closes the gate before it looks at the slots. So it
// sees whoever got in, as `taken` until the store that ends the call, which has released all that
// the call did; and nobody gets in once it has looked.
class SessionGate {
 public:
  // Held for the length of a call; false when the gate was shut.
  class Call {
   public:
    explicit Call(SessionGate& gate) : slot_(&gate.own_slot()) {
      session_ = slot_->exchange(taken());
      if (session_ != taken())
        inside_ = gate.open_.load();
      else
        count(gate);
    }
    // The last touch of the gate, which may be destroyed right after.
    ~Call() {
      if (slot_ != nullptr)
        slot_->store(session_, std::memory_order_release);
      else if (session_ != nullptr)
        pool_->give_back(session_);
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    explicit operator bool() const { return inside_; }

    // Only inside. `pool`: of the sessions that are kept here. Null: `error` says why, 0 that all
    // sessions are in use.
    NativeSession* session(SessionPool& pool, int& error) {
      return session_ != nullptr ? session_ : take_session(pool, error);
    }
    // The session leaves with somebody who does not stay inside.
    SessionPool::Lease take_along(SessionPool& pool, int& error);

   private:
    void count(SessionGate& gate);
    NativeSession* take_session(SessionPool& pool, int& error);

    std::atomic<NativeSession*>* slot_;  // null: another thread's
    NativeSession* session_ = nullptr;
    SessionPool* pool_ = nullptr;
    bool inside_ = false;
    std::optional<CallGate::Pass> pass_;  // ends after the session was given back
  };

  void open();
  // Returns when no call is inside and none can get in, or false after so long.
  bool shut_within(Nanoseconds wait);
  // Once shut: the sessions end with their connection.
  void forget_sessions();

 private:
  static constexpr std::size_t slot_count = 32;

  struct alignas(64) Slot {
    std::atomic<NativeSession*> session{nullptr};
  };

  // What stands in a slot while its session, or the place of one, is in use.
  static NativeSession* taken() {
    static constinit NativeSession mark;
    return &mark;
  }
  std::atomic<NativeSession*>& own_slot() { return slots_[thread_number() % slot_count].session; }

  std::array<Slot, slot_count> slots_;
  std::atomic<bool> open_{false};
  CallGate counted_;  // open when this is
};

}  // namespace ringwright
