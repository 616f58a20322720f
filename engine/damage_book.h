#pragma once

#include <mutex>
#include <vector>

#include "engine/storage_engine.h"

namespace ringwright {

// The ranges of keys that an engine has found damaged since its open, for `EngineStats::damaged`.
// At the bound a new range becomes one with its neighbour: what lies between them is then called
// damaged too, never the reverse. Safe to call from several threads.
class DamageBook {
 public:
  void note(KeyRange range);
  std::vector<KeyRange> ranges() const;

 private:
  mutable std::mutex mutex_;
  std::vector<KeyRange> ranges_;  // sorted, disjoint
};

// The range that holds this key alone.
KeyRange range_of_key(ByteView key);

}  // namespace ringwright
