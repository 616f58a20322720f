#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/base/executor.h"
#include "engine/base/limits.h"

namespace ringwright {

// A fixed number of threads and a bounded queue. `submit` may be called from any thread. Work that
// is queued when the pool stops is dropped, work that runs is waited for; later work is refused
// with `closed`.
class ThreadPoolExecutor final : public Executor {
 public:
  explicit ThreadPoolExecutor(const std::string& name,
                              std::size_t threads = limits::executor_threads,
                              std::size_t queue_max = limits::executor_queue_max);
  ~ThreadPoolExecutor() override;

  Status submit(std::function<void()> work) override;
  // Idempotent; not from one of its own threads.
  void stop();

 private:
  void run();

  const std::size_t queue_max_;
  std::mutex mutex_;  // guards queue_, stopping_
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace ringwright
