#pragma once

#include "engine/storage_engine.h"

namespace ringwright {

// Beside `StorageEngine`, what a decorator is whose calls may wait on purpose.
class CallHolder {
 public:
  virtual ~CallHolder() = default;
  // No call waits any more, whatever the decorator is told later; those that wait go on at once.
  virtual void let_go() = 0;
};

// Of every decorator in the stack. Whoever ends a node calls it before waiting for the node's
// calls; `close` comes too late for that.
inline void let_all_go(StorageEngine& stack) {
  for (StorageEngine* each = &stack; each != nullptr; each = each->inner())
    if (auto* const holder = dynamic_cast<CallHolder*>(each)) holder->let_go();
}

}  // namespace ringwright
