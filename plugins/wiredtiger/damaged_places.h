#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "engine/damage_book.h"

namespace ringwright {

// Where damaged blocks were met. WiredTiger panics when it reads one, so each such place is to be
// touched once: later calls that would lead there again are answered without it. Threads: any.
class DamagedPlaces {
 public:
  enum class Way : std::uint8_t { at, after, before };  // a key; the step from it up, or down

  // `range`: where rows may be unreadable.
  void note(Way way, ByteView key, KeyRange range);
  bool leads_there(Way way, ByteView key) const {
    return any_.load(std::memory_order_acquire) && is_noted(way, key);
  }
  std::vector<KeyRange> ranges() const { return book_.ranges(); }

 private:
  bool is_noted(Way way, ByteView key) const;

  DamageBook book_;
  std::atomic<bool> any_{false};
  mutable std::mutex mutex_;
  std::vector<std::pair<Way, Bytes>> noted_;  // at the bound the oldest is forgotten
};

}  // namespace ringwright
