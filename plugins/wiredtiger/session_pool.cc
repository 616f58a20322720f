#include "plugins/wiredtiger/session_pool.h"

#include "engine/base/limits.h"

// A panic makes WiredTiger refuse to roll back what it then waits for when it is closed. This is
// its own function beneath the one that refuses; absent from a library that hides it.
extern "C" int roll_back_in_panic(WT_SESSION* session,
                                  const char* config[]) __asm__("__wt_txn_rollback")
    __attribute__((weak));

namespace ringwright {
namespace {

bool roll_back_in_spite_of_panic(WT_SESSION* session) {
  int major = 0;
  wiredtiger_version(&major, nullptr, nullptr);
  constexpr int known_major = 3;  // later ones may take other arguments
  if (major != known_major || roll_back_in_panic == nullptr) return false;
  return roll_back_in_panic(session, nullptr) == 0;
}

}  // namespace

void NativeSession::roll_back() {
  const int error = session->rollback_transaction(session, nullptr);
  if (error == WT_PANIC) has_transaction = true;
}

bool SessionPool::end_all() {
  const std::lock_guard lock(mutex_);
  bool ended = true;
  for (const auto& native : all_) {
    // Reports the panic, and lets go of its page and snapshot all the same.
    if (native->rows != nullptr) native->rows->close(native->rows);
    native->rows = nullptr;
    if (native->has_transaction) ended = roll_back_in_spite_of_panic(native->session) && ended;
    native->has_transaction = false;
  }
  return ended;
}

SessionPool::SessionPool(WT_CONNECTION* connection) : connection_(connection) {
  spare_.reserve(limits::wiredtiger_sessions_max);
  all_.reserve(limits::wiredtiger_sessions_max);
}

SessionPool::~SessionPool() = default;

NativeSession* SessionPool::take(int& error) {
  error = 0;
  NativeSession* native = own_slot().idle.exchange(nullptr, std::memory_order_acquire);
  if (native == nullptr) native = take_spare();
  return native != nullptr ? native : open_one(error);
}

NativeSession* SessionPool::take_spare() {
  const std::lock_guard lock(mutex_);
  if (spare_.empty()) return nullptr;
  NativeSession* const native = spare_.back();
  spare_.pop_back();
  return native;
}

NativeSession* SessionPool::open_one(int& error) {
  auto made = std::make_unique<NativeSession>();
  const std::lock_guard lock(mutex_);
  if (all_.size() >= limits::wiredtiger_sessions_max) return nullptr;
  error = connection_->open_session(connection_, nullptr, "isolation=snapshot", &made->session);
  if (error != 0) return nullptr;
  error = made->session->open_cursor(made->session, rows_table, nullptr, nullptr, &made->rows);
  if (error != 0) {
    made->session->close(made->session, nullptr);
    return nullptr;
  }
  all_.push_back(std::move(made));
  return all_.back().get();
}

void SessionPool::give_back(NativeSession* native) {
  native = own_slot().idle.exchange(native, std::memory_order_acq_rel);
  if (native == nullptr) return;
  const std::lock_guard lock(mutex_);
  spare_.push_back(native);
}

}  // namespace ringwright
