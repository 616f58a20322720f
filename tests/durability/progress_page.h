#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "tests/durability/workload.h"

namespace ringwright::durability {

// Shared memory through which a child tells its parent how far it came. What was stored before the
// child died is seen, whatever it died of; so nothing that was acknowledged goes unnoticed.
struct ProgressPage {
  static constexpr Number none = UINT64_MAX;
  static constexpr std::size_t numbers_max = 1 << 15;
  static constexpr std::size_t failure_bytes_max = 2000;

  std::atomic<Number> recovered = none;  // what the engine held when it was opened; verified
  std::atomic<Number> first = 0;         // the first number that is of this round
  std::atomic<Number> issued = 0;        // the last one that was handed to the engine
  std::atomic<Number> acknowledged = 0;  // 0: none in this round
  std::atomic<std::uint64_t> acknowledged_sequence = 0;
  std::atomic<std::uint64_t> batches = 0;
  std::atomic<std::uint64_t> syncs = 0;
  std::atomic<std::uint64_t> checkpoints = 0;
  // Bit i: the batch that holds `recovered` + i ends with it.
  std::array<std::atomic<std::uint64_t>, numbers_max / 64> batch_ends = {};
  std::array<char, failure_bytes_max> failure = {};

  void mark_batch_end(std::size_t offset) {
    batch_ends[offset / 64].fetch_or(std::uint64_t{1} << (offset % 64));
  }
  bool is_batch_end(std::size_t offset) const {
    return (batch_ends[offset / 64].load() >> (offset % 64) & 1) != 0;
  }
};

}  // namespace ringwright::durability
