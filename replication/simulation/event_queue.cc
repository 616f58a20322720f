#include "replication/simulation/event_queue.h"

#include <algorithm>
#include <utility>

namespace ringwright {

void EventQueue::at(Instant when, Action action) {
  heap_.push_back({std::max(when, now_), ++scheduled_, std::move(action)});
  std::push_heap(heap_.begin(), heap_.end(), Later{});
}

bool EventQueue::run_next(Instant until) {
  if (heap_.empty() || heap_.front().when > until) {
    if (until != never) now_ = std::max(now_, until);
    return false;
  }
  std::pop_heap(heap_.begin(), heap_.end(), Later{});
  Event event = std::move(heap_.back());
  heap_.pop_back();
  now_ = event.when;
  ++executed_;
  event.action();
  return true;
}

}  // namespace ringwright
