#include <sys/random.h>

#include "engine/base/check.h"
#include "engine/base/random.h"

namespace ringwright {

std::uint64_t SystemRandom::next() {
  std::uint64_t value = 0;
  RW_CHECK(::getrandom(&value, sizeof(value), 0) == static_cast<ssize_t>(sizeof(value)));
  return value;
}

}  // namespace ringwright
