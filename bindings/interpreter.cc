#include "bindings/interpreter.h"

#include <pthread.h>

#include <thread>

#include "replication/runtime/process_generation.h"

namespace ringwright::python {
namespace {

// A caller counts itself before it looks whether the way is open, and `shut` closes the way before
// it looks at the count, both in the one total order of seq_cst operations: so `shut` sees whoever
// got in.
std::atomic<std::uint64_t> inside{0};
std::atomic<bool> is_shut{false};

// In a forked child the other threads are gone, wherever they were.
const int registered = pthread_atfork(nullptr, nullptr, [] { inside.store(0); });

}  // namespace

InterpreterPass::InterpreterPass() : process_(process_generation()) {
  inside.fetch_add(1);
  open_ = !is_shut.load();
}

InterpreterPass::~InterpreterPass() {
  // The thread that forked out of an engine was not counted anew.
  if (process_ == process_generation()) inside.fetch_sub(1);
}

bool InterpreterPass::shut() {
  static_cast<void>(registered);
  is_shut.store(true);
  const auto poll = std::chrono::milliseconds(1);
  for (auto left = shut_deadline / poll; inside.load() != 0; --left) {
    if (left <= 0) return false;
    std::this_thread::sleep_for(poll);
  }
  return true;
}

}  // namespace ringwright::python
