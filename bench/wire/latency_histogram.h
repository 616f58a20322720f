#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace ringwright::bench {

// Durations by their leading bits: within 1.6 % of the true value from a nanosecond to hours.
class LatencyHistogram {
 public:
  void add(std::uint64_t nanoseconds) {
    ++counts_[bucket_of(nanoseconds)];
    ++total_;
  }

  // The duration that `share` (0 to 1) of all do not exceed; 0 when there is none.
  double quantile_us(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
      seen += counts_[bucket];
      if (counts_[bucket] > 0 && seen > wanted) return middle_of(bucket) / 1e3;
    }
    return total_ == 0 ? 0 : middle_of(last_bucket()) / 1e3;
  }

  std::uint64_t total() const { return total_; }

 private:
  static constexpr unsigned precision_bits = 5;
  static constexpr std::uint64_t steps = std::uint64_t{1} << precision_bits;

  // Below `steps` each value has a bucket; above, each power of two has `steps` of them.
  static std::size_t bucket_of(std::uint64_t value) {
    if (value < steps) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1 - precision_bits;
    return (shift + 1) * steps + ((value >> shift) - steps);
  }

  static double middle_of(std::size_t bucket) {
    if (bucket < steps) return static_cast<double>(bucket);
    const unsigned shift = static_cast<unsigned>(bucket / steps) - 1;
    const std::uint64_t least = (steps + bucket % steps) << shift;
    return static_cast<double>(least) + static_cast<double>(std::uint64_t{1} << shift) / 2;
  }

  std::size_t last_bucket() const {
    std::size_t last = counts_.size() - 1;
    while (last > 0 && counts_[last] == 0) --last;
    return last;
  }

  std::array<std::uint64_t, (64 - precision_bits + 1) * steps> counts_{};
  std::uint64_t total_ = 0;
};

}  // namespace ringwright::bench
