#pragma once

// CHECK is for programmer errors only and stays on in release builds: a node that has broken one
// of its own invariants stops rather than go on and spread the damage.

namespace ringwright {

[[noreturn]] void check_failed(const char* file, int line, const char* expression);

}  // namespace ringwright

#define RW_CHECK(expression)           \
  ((expression) ? static_cast<void>(0) \
                : ::ringwright::check_failed(__FILE__, __LINE__, #expression))
