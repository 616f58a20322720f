#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>

#include "engine/base/time.h"

namespace ringwright {

// How many values lay at or below each of `bounds`, which ascend, how many above all of them, and
// the sum of all. A value.
template <const auto& bounds>
class Histogram {
 public:
  static constexpr std::size_t bucket_count = bounds.size() + 1;

  // `times` values alike.
  void add(std::uint64_t value, std::uint64_t times = 1) {
    // Most values are small, so that looking from below is the shortest way: in steps of three,
    // which for durations are decades.
    std::size_t bucket = 0;
    while (bucket + 3 <= bounds.size() && value > bounds[bucket + 2]) bucket += 3;
    while (bucket < bounds.size() && value > bounds[bucket]) ++bucket;
    counts_[bucket] += times;
    sum_ += value * times;
  }
  void add(const Histogram& other) {
    for (std::size_t i = 0; i < bucket_count; ++i) counts_[i] += other.counts_[i];
    sum_ += other.sum_;
  }

  std::uint64_t total() const {
    return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
  }
  std::uint64_t sum() const { return sum_; }
  // By bucket, not added up; the last one holds what lay above all bounds.
  const std::array<std::uint64_t, bucket_count>& counts() const { return counts_; }

 private:
  std::array<std::uint64_t, bucket_count> counts_{};
  std::uint64_t sum_ = 0;
};

// Of durations, in nanoseconds: from a microsecond to ten seconds.
inline constexpr std::array<std::uint64_t, 22> duration_bounds = {
    1'000,         2'000,         5'000,         10'000,        20'000,      50'000,
    100'000,       200'000,       500'000,       1'000'000,     2'000'000,   5'000'000,
    10'000'000,    20'000'000,    50'000'000,    100'000'000,   200'000'000, 500'000'000,
    1'000'000'000, 2'000'000'000, 5'000'000'000, 10'000'000'000};
// Of sizes of batches, and of siblings.
inline constexpr std::array<std::uint64_t, 11> count_bounds = {1,  2,   4,   8,   16,  32,
                                                               64, 128, 256, 512, 1024};

// Of values and records, in bytes: up to 16 MiB.
inline constexpr std::array<std::uint64_t, 10> byte_bounds = {
    64, 256, 1024, 4096, 16'384, 65'536, 262'144, 1'048'576, 4'194'304, 16'777'216};

using DurationHistogram = Histogram<duration_bounds>;
using CountHistogram = Histogram<count_bounds>;
using ByteHistogram = Histogram<byte_bounds>;

}  // namespace ringwright
