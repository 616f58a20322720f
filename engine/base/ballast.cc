#include "engine/base/ballast.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace ringwright {
namespace {

// Little by little: somebody else may take what was given.
constexpr std::uint64_t given_bytes_min = 256 * 1024;

}  // namespace

Ballast::Ballast(std::string path, std::uint64_t bytes) : path_(std::move(path)), bytes_(bytes) {}

Ballast::~Ballast() {
  if (file_ >= 0) ::close(file_);
}

bool Ballast::open() {
  if (file_ >= 0) return true;
  constexpr mode_t mode = 0644;
  file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, mode);
  struct stat left {};
  if (file_ < 0 || ::fstat(file_, &left) != 0) return file_ >= 0;
  // A copy of the file may be a hole: what counts are blocks.
  constexpr std::uint64_t block_bytes = 512;
  const std::uint64_t bytes = std::min(static_cast<std::uint64_t>(left.st_size),
                                       static_cast<std::uint64_t>(left.st_blocks) * block_bytes);
  held_bytes_.store(std::min(bytes, bytes_), std::memory_order_relaxed);
  return true;
}

bool Ballast::fill() {
  const std::lock_guard lock(mutex_);
  if (!open()) return false;
  if (is_whole()) return true;
  if (::posix_fallocate(file_, 0, static_cast<off_t>(bytes_)) != 0) {
    // What it got of the last room must not stay taken.
    [[maybe_unused]] const int ignored =
        ::ftruncate(file_, static_cast<off_t>(held_bytes_.load(std::memory_order_relaxed)));
    return false;
  }
  held_bytes_.store(bytes_, std::memory_order_relaxed);
  return true;
}

bool Ballast::give(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t held = held_bytes_.load(std::memory_order_relaxed);
  if (held == 0) return false;
  const std::uint64_t left = held - std::min(held, std::max(bytes, given_bytes_min));
  if (::ftruncate(file_, static_cast<off_t>(left)) != 0) return false;
  held_bytes_.store(left, std::memory_order_relaxed);
  return true;
}

}  // namespace ringwright
