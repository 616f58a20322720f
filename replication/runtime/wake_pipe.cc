#include "replication/runtime/wake_pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace ringwright {

Result<std::shared_ptr<WakePipe>> WakePipe::make() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) != 0)
    return Status{Code::unavailable, std::string("cannot make a pipe: ") + std::strerror(errno)};
  return std::shared_ptr<WakePipe>(new WakePipe(ends[0], ends[1]));
}

WakePipe::~WakePipe() {
  ::close(reading_);
  ::close(writing_);
}

void WakePipe::wake() {
  // A full pipe is readable already.
  while (::write(writing_, "", 1) < 0 && errno == EINTR) {
  }
}

void WakePipe::drain() {
  std::array<char, 64> taken{};
  for (;;) {
    const ssize_t count = ::read(reading_, taken.data(), taken.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < static_cast<ssize_t>(taken.size())) return;
  }
}

}  // namespace ringwright
