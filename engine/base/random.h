#pragma once

#include <cstdint>
#include <string_view>

namespace ringwright {

// The only source of random draws. One object belongs to one thread.
class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;

  // Uniform in [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound) {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
  }
  // Uniform in [low, high].
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
  }
  // True with probability `share` (0 to 1).
  bool chance(double share) { return static_cast<double>(next() >> 11) * 0x1.0p-53 < share; }
};

// Draws that a seed and a stream's name decide (xoshiro256**; Blackman and Vigna, 2018). Each use
// has a named stream of its own, so that one new draw does not shift all others.
class SeededRandom final : public Random {
 public:
  SeededRandom(std::uint64_t seed, std::string_view stream);
  std::uint64_t next() override;

 private:
  std::uint64_t state_[4];
};

// Draws from the operating system, for identities that must never repeat.
class SystemRandom final : public Random {
 public:
  std::uint64_t next() override;
};

}  // namespace ringwright
