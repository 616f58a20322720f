#include "plugins/wiredtiger/damaged_places.h"

#include <algorithm>

#include "engine/base/limits.h"

namespace ringwright {

void DamagedPlaces::note(Way way, ByteView key, KeyRange range) {
  book_.note(std::move(range));
  const std::lock_guard lock(mutex_);
  if (noted_.size() >= limits::damaged_places_max) noted_.erase(noted_.begin());
  noted_.emplace_back(way, Bytes(key));
  any_.store(true, std::memory_order_release);
}

bool DamagedPlaces::is_noted(Way way, ByteView key) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(noted_.begin(), noted_.end(),
                     [&](const auto& place) { return place.first == way && place.second == key; });
}

}  // namespace ringwright
