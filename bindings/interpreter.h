#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace ringwright::python {

// The way of native threads into the interpreter, which is shut before the interpreter ends: a
// thread that asked for the interpreter's lock after that would hang or be torn down half-way.
//
// Locks: whoever holds the interpreter's lock never waits for a lock under which an engine may be
// called, because every binding that may wait gives it up first (`unlocked`, `Owned`). So a thread
// may come with any lock of ours and wait for the interpreter's.
class InterpreterPass {
 public:
  // Nobody has waited longer than an engine's call lasts; one that hangs must not hold up the end.
  static constexpr std::chrono::seconds shut_deadline{5};

  InterpreterPass();
  ~InterpreterPass();
  InterpreterPass(const InterpreterPass&) = delete;
  InterpreterPass& operator=(const InterpreterPass&) = delete;
  // False once the way is shut: ask the interpreter for nothing.
  explicit operator bool() const { return open_; }

  // Lets nobody in any more and waits, at most for the deadline, until nobody is inside. To be
  // called without the interpreter's lock. False: somebody still is.
  static bool shut();

 private:
  const std::uint64_t process_;
  bool open_ = false;
};

}  // namespace ringwright::python
