#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

namespace ringwright {

// A ballast file: room on a disk that nobody else can take, for those who must end what they have
// begun when the disk is full. It stays on the disk between two runs. Threads: any.
class Ballast {
 public:
  Ballast(std::string path, std::uint64_t bytes);
  ~Ballast();
  Ballast(const Ballast&) = delete;
  Ballast& operator=(const Ballast&) = delete;

  // Takes what is missing from the disk. False when that has no room for it, or the file cannot be
  // made; it holds what it held, then.
  bool fill();
  // Gives at least `bytes` back to the disk, or what is left. False when nothing is.
  bool give(std::uint64_t bytes);

  bool is_whole() const { return held_bytes() >= bytes_; }
  std::uint64_t held_bytes() const { return held_bytes_.load(std::memory_order_relaxed); }
  std::uint64_t missing_bytes() const { return bytes_ - std::min(bytes_, held_bytes()); }

 private:
  bool open();

  const std::string path_;
  const std::uint64_t bytes_;
  std::mutex mutex_;
  int file_ = -1;
  std::atomic<std::uint64_t> held_bytes_{0};
};

}  // namespace ringwright
