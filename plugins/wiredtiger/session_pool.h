#pragma once

#include <wiredtiger.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "engine/base/call_gate.h"
#include "engine/base/status.h"

namespace ringwright {

// Where the rows are.
constexpr const char* rows_table = "table:rows";
constexpr const char* rows_file = "rows.wt";

// A session with its cursor over the rows. Neither is safe to use from two threads at once. It has
// cache lines of its own, for it is written in every call.
struct alignas(64) NativeSession {
  WT_SESSION* session = nullptr;
  WT_CURSOR* rows = nullptr;
  bool has_transaction = false;  // that a panic has left open

  void roll_back();
};

// Sessions for one call, or one iterator, at a time. They stay open between calls, because opening
// one and its cursor costs more than most calls; a thread mostly gets back the one it gave.
// All are snapshot sessions: a transaction reads from one moment, and so does, without one, a
// cursor from its first step until it is reset. At the end of a call the cursor must be reset, and
// no transaction open.
class SessionPool {
 public:
  explicit SessionPool(WT_CONNECTION* connection);
  // The connection closes the sessions.
  ~SessionPool();
  SessionPool(const SessionPool&) = delete;
  SessionPool& operator=(const SessionPool&) = delete;

  // Gives its session back at its end.
  class Lease {
   public:
    Lease() = default;
    Lease(SessionPool& pool, NativeSession* native) : pool_(&pool), native_(native) {}
    Lease(Lease&& other) noexcept
        : pool_(other.pool_), native_(std::exchange(other.native_, nullptr)) {}
    Lease& operator=(Lease&& other) noexcept {
      std::swap(pool_, other.pool_);
      std::swap(native_, other.native_);
      return *this;
    }
    ~Lease() {
      if (native_ != nullptr) pool_->give_back(native_);
    }
    explicit operator bool() const { return native_ != nullptr; }
    WT_CURSOR* rows() const { return native_->rows; }

   private:
    SessionPool* pool_ = nullptr;
    NativeSession* native_ = nullptr;
  };

  // Null: `error` says why, 0 that all sessions are in use.
  NativeSession* take(int& error);
  // Never allocates.
  void give_back(NativeSession* native);

  // After a panic, with nobody inside: ends what its sessions have open, which a close of the
  // connection would wait for without end. False when that cannot be done.
  bool end_all();

 private:
  static constexpr std::size_t slot_count = 16;
  struct alignas(64) Slot {
    std::atomic<NativeSession*> idle{nullptr};
  };

  Slot& own_slot() { return slots_[thread_number() % slot_count]; }
  NativeSession* take_spare();
  NativeSession* open_one(int& error);

  WT_CONNECTION* const connection_;
  std::array<Slot, slot_count> slots_;
  std::mutex mutex_;
  std::vector<NativeSession*> spare_;  // has room for all
  std::vector<std::unique_ptr<NativeSession>> all_;
};

}  // namespace ringwright
