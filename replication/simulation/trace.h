#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/time.h"

namespace ringwright {

enum class TraceKind : std::uint8_t {
  sent = 1,
  lost = 2,
  delivered = 3,
  tick = 4,
  engine_effect = 5,
  engine_completion = 6,
  process_start = 7,
  process_end = 8,
  fault = 9,
  client = 10,
};

// A rolling hash over all that happened: two runs are the same run iff their digests are equal. The
// hash after every 1,000 events is kept, so that the first difference of two runs can be found.
class Trace {
 public:
  static constexpr std::uint64_t checkpoint_interval = 1000;

  void add(Instant time, TraceKind kind, std::uint64_t where, std::uint64_t payload) {
    hash_ = mixed(hash_ ^ static_cast<std::uint64_t>(time));
    hash_ = mixed(hash_ ^ (static_cast<std::uint64_t>(kind) << 56 ^ where));
    hash_ = mixed(hash_ ^ payload);
    if (++events_ % checkpoint_interval == 0) checkpoints_.push_back(hash_);
  }

  std::uint64_t hash() const { return hash_; }
  std::uint64_t events() const { return events_; }
  const std::vector<std::uint64_t>& checkpoints() const { return checkpoints_; }
  // 16 hex digits.
  std::string digest() const;

 private:
  static std::uint64_t mixed(std::uint64_t value) {
    value = (value ^ value >> 32) * 0x9e3779b97f4a7c15;
    return value ^ value >> 29;
  }

  std::uint64_t hash_ = 0x72696e6777726967;
  std::uint64_t events_ = 0;
  std::vector<std::uint64_t> checkpoints_;
};

}  // namespace ringwright
