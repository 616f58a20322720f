#pragma once

#include <memory>

#include "engine/base/status.h"

namespace ringwright {

// A descriptor that one thread watches and others make readable. Threads: any. Nothing blocks.
class WakePipe {
 public:
  // `unavailable`: the process has no descriptors left.
  static Result<std::shared_ptr<WakePipe>> make();
  ~WakePipe();
  WakePipe(const WakePipe&) = delete;
  WakePipe& operator=(const WakePipe&) = delete;

  int descriptor() const { return reading_; }
  void wake();
  // Makes it unreadable again, until the next `wake`.
  void drain();

 private:
  WakePipe(int reading, int writing) : reading_(reading), writing_(writing) {}

  const int reading_;
  const int writing_;
};

}  // namespace ringwright
