#include "engine/damage_book.h"

#include <algorithm>
#include <utility>

#include "engine/base/limits.h"

namespace ringwright {
namespace {

// An empty stop is the end of all keys.
bool ends_before(const Bytes& stop, const Bytes& start) { return !stop.empty() && stop < start; }

const Bytes& later_stop(const Bytes& one, const Bytes& other) {
  if (one.empty() || other.empty()) return one.empty() ? one : other;
  return std::max(one, other);
}

}  // namespace

void DamageBook::note(KeyRange range) {
  if (range.is_nothing()) return;
  const std::lock_guard lock(mutex_);
  const auto first = std::find_if(ranges_.begin(), ranges_.end(), [&](const KeyRange& known) {
    return !ends_before(known.stop, range.start);
  });
  auto last = first;
  for (; last != ranges_.end() && !ends_before(range.stop, last->start); ++last) {
    range.start = std::min(range.start, last->start);
    range.stop = later_stop(range.stop, last->stop);
  }
  auto placed = ranges_.insert(ranges_.erase(first, last), std::move(range));
  if (ranges_.size() <= limits::damaged_ranges_max) return;
  if (placed + 1 == ranges_.end()) --placed;
  placed->stop = (placed + 1)->stop;
  ranges_.erase(placed + 1);
}

std::vector<KeyRange> DamageBook::ranges() const {
  const std::lock_guard lock(mutex_);
  return ranges_;
}

KeyRange range_of_key(ByteView key) { return {Bytes(key), Bytes(key) + '\0'}; }

}  // namespace ringwright
