#include "plugins/rocksdb/flush_thread.h"

#include <chrono>

namespace ringwright {
namespace {

constexpr std::chrono::milliseconds give_up_poll{5};

}  // namespace

FlushThread::~FlushThread() {
  {
    const std::lock_guard lock(mutex_);
    stops_ = true;
  }
  asked_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::optional<rocksdb::Status> FlushThread::flush(const std::function<bool()>& gives_up) {
  std::unique_lock lock(mutex_);
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  const std::uint64_t number = ++last_asked_;
  asked_.notify_all();
  while (last_ended_ < number) {
    if (gives_up()) return std::nullopt;
    ended_.wait_for(lock, give_up_poll);
  }
  return status_;
}

void FlushThread::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    asked_.wait(lock, [this] { return stops_ || last_asked_ > last_ended_; });
    if (stops_) return;
    const std::uint64_t covered = last_asked_;
    lock.unlock();
    rocksdb::Status status = db_.Flush(options_);
    lock.lock();
    status_ = std::move(status);
    last_ended_ = covered;
    ended_.notify_all();
  }
}

}  // namespace ringwright
