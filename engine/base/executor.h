#pragma once

#include <functional>

#include "engine/base/status.h"

namespace ringwright {

// Runs work that may block, away from the thread that asked. `submit` never blocks: at its bound it
// answers `overloaded` and the work was not taken. Work submitted by one thread may run in any
// order; who needs an order submits the next piece when the one before has reported.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual Status submit(std::function<void()> work) = 0;
};

}  // namespace ringwright
