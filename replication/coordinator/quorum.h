#pragma once

#include <cstdint>

namespace ringwright {

// The arithmetic of one operation's answers: how many are needed of how many asked.
class QuorumCount {
 public:
  QuorumCount(std::uint32_t required, std::uint32_t asked) : required_(required), asked_(asked) {}

  void add_good() { ++good_; }
  void add_bad() { ++bad_; }
  void ask_another() { ++asked_; }

  bool reached() const { return good_ >= required_; }
  // Those that gave a good answer or still may.
  std::uint32_t possible() const { return asked_ - bad_; }
  bool impossible() const { return possible() < required_; }
  bool all_in() const { return good_ + bad_ >= asked_; }
  std::uint32_t required() const { return required_; }
  std::uint32_t good() const { return good_; }

 private:
  std::uint32_t required_;
  std::uint32_t asked_;
  std::uint32_t good_ = 0;
  std::uint32_t bad_ = 0;
};

}  // namespace ringwright
