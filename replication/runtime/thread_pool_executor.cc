#include "replication/runtime/thread_pool_executor.h"

#include <utility>

#include "replication/runtime/thread_name.h"

namespace ringwright {

ThreadPoolExecutor::ThreadPoolExecutor(const std::string& name, std::size_t threads,
                                       std::size_t queue_max)
    : queue_max_(queue_max) {
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this, name] {
      name_this_thread(name);
      run();
    });
  }
}

ThreadPoolExecutor::~ThreadPoolExecutor() { stop(); }

Status ThreadPoolExecutor::submit(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return {Code::closed, "the executor is stopped"};
    if (queue_.size() >= queue_max_)
      return {Code::overloaded,
              "the executor's queue is full (" + std::to_string(queue_max_) + ")"};
    queue_.push_back(std::move(work));
  }
  changed_.notify_one();
  return ok_status();
}

void ThreadPoolExecutor::stop() {
  std::deque<std::function<void()>> dropped;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(queue_);
  }
  changed_.notify_all();
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();
}

void ThreadPoolExecutor::run() {
  for (;;) {
    std::function<void()> work;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    work();
  }
}

}  // namespace ringwright
