#include "plugins/wiredtiger/session_pool.h"

#include "engine/base/call_gate.h"
#include "engine/base/limits.h"

namespace ringwright {

SessionPool::SessionPool(WT_CONNECTION* connection) : connection_(connection) {
  spare_.reserve(limits::wiredtiger_sessions_max);
  all_.reserve(limits::wiredtiger_sessions_max);
}

SessionPool::~SessionPool() = default;

SessionPool::Slot& SessionPool::own_slot() { return slots_[thread_number() % slot_count]; }

SessionPool::Lease SessionPool::take(int& error) {
  error = 0;
  NativeSession* native = own_slot().idle.exchange(nullptr, std::memory_order_acquire);
  if (native == nullptr) native = take_spare();
  if (native == nullptr) native = open_one(error);
  return {*this, native};
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

// Never allocates: `spare_` has room for all.
void SessionPool::give_back(NativeSession* native) {
  native = own_slot().idle.exchange(native, std::memory_order_acq_rel);
  if (native == nullptr) return;
  const std::lock_guard lock(mutex_);
  spare_.push_back(native);
}

}  // namespace ringwright
