#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/random.h"

namespace ringwright {

enum class EngineFault : std::uint8_t {
  read_fails = 0,           // io_error for one key, or for the rest of an iteration
  read_damaged = 1,         // a row comes back with a byte changed
  write_refused = 2,        // busy; certainly not applied
  write_doubtful_kept = 3,  // in_doubt; applied
  write_doubtful_lost = 4,  // in_doubt; not applied
  sync_fails = 5,           // io_error; every later sync and write of the instance fails too
  would_block = 6,          // a call that may not block answers would_block
  write_no_space = 7,       // no_space; certainly not applied; never of a batch that only removes
};
constexpr std::size_t engine_fault_kinds = 8;
std::string_view engine_fault_name(EngineFault kind);

// Decides when a FaultyEngine fails. Whoever tests holds the plan and may change it at any time;
// several engines may share one. Each kind draws from a stream of its own, so arming one does not
// shift the others. Nothing is armed at first. Safe to call from several threads.
class FaultPlan {
 public:
  using KeyPredicate = std::function<bool(ByteView key)>;

  explicit FaultPlan(std::uint64_t seed = 0);

  // Every opportunity fails with this probability.
  void set_probability(EngineFault kind, double probability);
  // The next `times` opportunities fail; with a predicate, the next that touch such a key.
  void fail_next(EngineFault kind, std::uint64_t times = 1, KeyPredicate predicate = {});
  // The n-th opportunity from now on fails (1: the next), once.
  void fail_nth(EngineFault kind, std::uint64_t n);
  // Batches that put or merge are refused for want of space, as `write_no_space`, once this many
  // bytes of them were applied from now on; nullopt: there is space. Removing frees nothing here.
  void set_space(std::optional<std::uint64_t> bytes);
  // Nothing is armed any more; the counts stay.
  void disarm();
  // Draws from now on as a plan of this seed does from its beginning.
  void reseed(std::uint64_t seed);

  double probability(EngineFault kind) const;
  // What is left of it; nullopt: no bound.
  std::optional<std::uint64_t> space() const;
  // How often the kind could have happened, and how often it did.
  std::uint64_t opportunities(EngineFault kind) const;
  std::uint64_t fired(EngineFault kind) const;

  // One opportunity: whether the fault happens. Asked by the engine.
  bool fires(EngineFault kind, std::span<const ByteView> keys);
  bool fires(EngineFault kind, ByteView key) { return fires(kind, {&key, 1}); }
  // Takes this much of the space, or, when it is not there, counts the fault and answers false.
  bool take_space(std::uint64_t bytes);
  void give_space_back(std::uint64_t bytes);
  // A draw for how the fault looks, from the kind's stream.
  std::uint64_t draw_below(EngineFault kind, std::uint64_t bound);

 private:
  struct Script {
    std::uint64_t times;
    KeyPredicate predicate;
  };
  struct Kind {
    explicit Kind(SeededRandom stream) : random(stream) {}
    SeededRandom random;
    double probability = 0;
    std::vector<Script> scripts;
    std::uint64_t fails_at = 0;  // the opportunity that fails; 0: none
    std::uint64_t opportunities = 0;
    std::uint64_t fired = 0;
  };

  Kind& at(EngineFault kind) { return kinds_[static_cast<std::size_t>(kind)]; }
  const Kind& at(EngineFault kind) const { return kinds_[static_cast<std::size_t>(kind)]; }
  static bool follows_script(Kind& kind, std::span<const ByteView> keys);

  mutable std::mutex mutex_;  // guards what follows
  std::vector<Kind> kinds_;
  std::optional<std::uint64_t> space_;
};

}  // namespace ringwright
