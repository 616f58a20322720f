#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/hash_index.h"
#include "engine/base/limits.h"
#include "replication/transport/message.h"

namespace ringwright {

// The puts that came lately, by who sent them under which number. A transport may repeat a message;
// the second coming of a put could take effect after the first was answered `failed`, so it is not
// looked at. A put is known again while fewer than `count_min` others have come since; the memory
// is bounded, so that after twice as many it may be forgotten.
//
// Senders count up, so what is kept is a run: one bit for each of the 64 numbers that share the
// bits above. What a busy sender asks about next lies where its last one did.
class RecentRequests {
 public:
  explicit RecentRequests(std::size_t count_min = limits::request_window_count)
      : count_min_(count_min) {}

  // True when this one came before.
  bool is_repeat(Endpoint source, OperationId operation) {
    const Run sought{source, operation / numbers_in_run,
                     std::uint64_t{1} << operation % numbers_in_run};
    std::uint32_t* const place = find(sought);
    if (place == nullptr) {
      add(sought);
      return false;
    }
    Run& run = runs_[*place];
    if ((run.seen & sought.seen) != 0) return true;
    run.seen |= sought.seen;
    if (is_old(*place)) renew(*place);
    return false;
  }

 private:
  static constexpr std::uint64_t numbers_in_run = 64;
  struct Run {
    Endpoint source;
    std::uint64_t number;  // of the run: those of its requests, without what the bits tell
    std::uint64_t seen;    // 0: a place that was left
  };

  // The finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
  static std::uint64_t hash_of(const Run& run) {
    constexpr int source_shift = 40;
    std::uint64_t mixed = run.number ^ std::uint64_t{run.source} << source_shift;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    return mixed ^ mixed >> 31;
  }

  std::uint32_t* find(const Run& sought) {
    return places_.find(hash_of(sought), [&](std::uint32_t at) {
      return runs_[at].number == sought.number && runs_[at].source == sought.source;
    });
  }

  // The newer half of the ring is safe for as long as was promised.
  bool is_old(std::uint32_t place) const {
    const std::size_t newer = next_ > place ? next_ - place : next_ + ring_size() - place;
    return newer > count_min_;
  }
  void renew(std::uint32_t place) {
    const Run run = runs_[place];
    forget(place);
    add(run);
  }
  void add(const Run& run) {
    if (next_ == runs_.size()) runs_.push_back({});
    forget(next_);
    runs_[next_] = run;
    places_.insert(hash_of(run), next_);
    if (++next_ == ring_size()) next_ = 0;
  }
  void forget(std::uint32_t place) {
    if (runs_[place].seen == 0) return;
    places_.erase(hash_of(runs_[place]), [place](std::uint32_t at) { return at == place; });
    runs_[place].seen = 0;
  }
  std::size_t ring_size() const { return 2 * count_min_; }

  const std::size_t count_min_;
  std::vector<Run> runs_;  // a ring once it is full
  std::uint32_t next_ = 0;
  HashIndex<std::uint32_t> places_;  // of the runs in the ring
};

}  // namespace ringwright
