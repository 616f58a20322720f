#pragma once

#include <atomic>
#include <mutex>
#include <string>

#include "engine/base/status.h"

namespace ringwright {

// The failure after which nothing is to succeed; the first one counts. Threads: any.
class Failure {
 public:
  bool is_set() const { return is_set_.load(std::memory_order_acquire); }

  // Answers `code` for the call that met it.
  Status set(Code code, const Status& cause) {
    {
      const std::lock_guard lock(mutex_);
      if (message_.empty())
        message_ = "takes no more writes since a failure; reopen: " + cause.message();
    }
    is_set_.store(true, std::memory_order_release);
    return {code, cause.message()};
  }

  // What later calls answer.
  Status status() const {
    const std::lock_guard lock(mutex_);
    return {Code::io_error, message_};
  }

 private:
  std::atomic<bool> is_set_{false};
  mutable std::mutex mutex_;
  std::string message_;
};

}  // namespace ringwright
