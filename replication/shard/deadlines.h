#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "engine/base/time.h"

namespace ringwright {

// The deadlines of things in flight, the nearest first and those of one instant in the order of
// their names. Most things end long before their deadline, so one that ended is taken out only when
// it comes to the front, or when as many have ended as are left.
//
// `is_live(id)`, which the calls are given, says what has not ended; an id never comes back to
// life.
class Deadlines {
 public:
  using Id = std::uint64_t;

  void add(Instant deadline, Id id) {
    heap_.emplace_back(deadline, id);
    std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
  }

  // After something ended: `live` is how many have not.
  template <typename IsLive>
  void note_ended(std::size_t live, const IsLive& is_live) {
    while (!heap_.empty() && !is_live(heap_.front().second)) {
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
      heap_.pop_back();
    }
    if (heap_.size() <= 2 * live + ended_kept) return;
    std::erase_if(heap_, [&](const Entry& entry) { return !is_live(entry.second); });
    std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
  }

  bool empty() const { return heap_.empty(); }
  // Of what has not ended, as long as `note_ended` follows every end.
  Instant nearest() const { return heap_.empty() ? never : heap_.front().first; }
  Id nearest_id() const { return heap_.front().second; }

  // All that have not ended, in order.
  template <typename IsLive>
  std::vector<Id> in_order(const IsLive& is_live) const {
    std::vector<Entry> entries = heap_;
    std::sort(entries.begin(), entries.end());
    std::vector<Id> ids;
    for (const auto& [deadline, id] : entries)
      if (is_live(id)) ids.push_back(id);
    return ids;
  }

 private:
  using Entry = std::pair<Instant, Id>;
  static constexpr std::size_t ended_kept = 64;  // fewer are not worth a pass over the heap

  std::vector<Entry> heap_;
};

}  // namespace ringwright
