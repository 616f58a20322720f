#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/hash_index.h"
#include "engine/base/limits.h"
#include "replication/transport/message.h"

namespace ringwright {

// The puts that came lately, by who sent them under which number. A transport may repeat a message;
// the second coming of a put could take effect after the first was answered `failed`, so it is not
// looked at. Bounded: the oldest are forgotten first.
class RecentRequests {
 public:
  explicit RecentRequests(std::size_t count_max = limits::request_window_count)
      : count_max_(count_max) {}

  // True when this one came before.
  bool is_repeat(Endpoint source, OperationId operation) {
    // The table is larger than a cache, and senders count up: what comes next is asked for now.
    places_.prefetch(hash_of(source, operation + 1));
    const Name name{source, operation};
    const auto is_same = [&](std::uint32_t at) { return names_[at] == name; };
    if (places_.find(hash_of(name), is_same) != nullptr) return true;
    if (names_.size() < count_max_) {
      names_.push_back(name);
      places_.insert(hash_of(name), static_cast<std::uint32_t>(names_.size() - 1));
      return false;
    }
    places_.erase(hash_of(names_[oldest_]), [this](std::uint32_t at) { return at == oldest_; });
    names_[oldest_] = name;
    places_.insert(hash_of(name), oldest_);
    if (++oldest_ == count_max_) oldest_ = 0;
    // The next one to go is known too.
    places_.prefetch(hash_of(names_[oldest_]));
    return false;
  }

 private:
  struct Name {
    Endpoint source;
    OperationId operation;
    friend bool operator==(const Name&, const Name&) = default;
  };
  // Spreads numbers that follow one another: the finalizer of SplitMix64 (Steele, Lea and Flood,
  // 2014). What a sender keeps above the bits that it counts in is compared, not hashed, so that
  // where its next name belongs is known beforehand.
  static constexpr int counted_bits = 32;
  static std::uint64_t hash_of(Endpoint source, OperationId operation) {
    constexpr std::uint64_t counted = (std::uint64_t{1} << counted_bits) - 1;
    std::uint64_t mixed = (operation & counted) | std::uint64_t{source} << counted_bits;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    return mixed ^ mixed >> 31;
  }
  static std::uint64_t hash_of(const Name& name) { return hash_of(name.source, name.operation); }

  std::size_t count_max_;
  std::vector<Name> names_;  // a ring once it is full
  std::uint32_t oldest_ = 0;
  HashIndex<std::uint32_t> places_;  // of the names in the ring
};

}  // namespace ringwright
