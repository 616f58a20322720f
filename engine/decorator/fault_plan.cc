#include "engine/decorator/fault_plan.h"

#include <algorithm>
#include <utility>

namespace ringwright {

std::string_view engine_fault_name(EngineFault kind) {
  switch (kind) {
    case EngineFault::read_fails:
      return "read_fails";
    case EngineFault::read_damaged:
      return "read_damaged";
    case EngineFault::write_refused:
      return "write_refused";
    case EngineFault::write_doubtful_kept:
      return "write_doubtful_kept";
    case EngineFault::write_doubtful_lost:
      return "write_doubtful_lost";
    case EngineFault::sync_fails:
      return "sync_fails";
    case EngineFault::would_block:
      return "would_block";
    case EngineFault::write_no_space:
      return "write_no_space";
  }
  return "unknown_fault";
}

namespace {

SeededRandom stream_of(std::uint64_t seed, std::size_t kind) {
  return {seed, engine_fault_name(static_cast<EngineFault>(kind))};
}

}  // namespace

FaultPlan::FaultPlan(std::uint64_t seed) {
  kinds_.reserve(engine_fault_kinds);
  for (std::size_t i = 0; i < engine_fault_kinds; ++i) kinds_.emplace_back(stream_of(seed, i));
}

void FaultPlan::reseed(std::uint64_t seed) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < engine_fault_kinds; ++i) kinds_[i].random = stream_of(seed, i);
}

void FaultPlan::set_probability(EngineFault kind, double probability) {
  const std::lock_guard lock(mutex_);
  at(kind).probability = probability;
}

void FaultPlan::fail_next(EngineFault kind, std::uint64_t times, KeyPredicate predicate) {
  if (times == 0) return;
  const std::lock_guard lock(mutex_);
  at(kind).scripts.push_back({times, std::move(predicate)});
}

void FaultPlan::fail_nth(EngineFault kind, std::uint64_t n) {
  const std::lock_guard lock(mutex_);
  at(kind).fails_at = n == 0 ? 0 : at(kind).opportunities + n;
}

void FaultPlan::set_space(std::optional<std::uint64_t> bytes) {
  const std::lock_guard lock(mutex_);
  space_ = bytes;
}

void FaultPlan::disarm() {
  const std::lock_guard lock(mutex_);
  space_.reset();
  for (Kind& kind : kinds_) {
    kind.probability = 0;
    kind.scripts.clear();
    kind.fails_at = 0;
  }
}

double FaultPlan::probability(EngineFault kind) const {
  const std::lock_guard lock(mutex_);
  return at(kind).probability;
}

std::optional<std::uint64_t> FaultPlan::space() const {
  const std::lock_guard lock(mutex_);
  return space_;
}

std::uint64_t FaultPlan::opportunities(EngineFault kind) const {
  const std::lock_guard lock(mutex_);
  return at(kind).opportunities;
}

std::uint64_t FaultPlan::fired(EngineFault kind) const {
  const std::lock_guard lock(mutex_);
  return at(kind).fired;
}

bool FaultPlan::follows_script(Kind& kind, std::span<const ByteView> keys) {
  const auto script = std::find_if(kind.scripts.begin(), kind.scripts.end(), [&](auto& each) {
    return !each.predicate || std::any_of(keys.begin(), keys.end(), each.predicate);
  });
  if (script == kind.scripts.end()) return false;
  if (--script->times == 0) kind.scripts.erase(script);
  return true;
}

bool FaultPlan::fires(EngineFault fault, std::span<const ByteView> keys) {
  const std::lock_guard lock(mutex_);
  Kind& kind = at(fault);
  ++kind.opportunities;
  bool happens = kind.opportunities == kind.fails_at;
  if (!happens) happens = follows_script(kind, keys);
  if (!happens && kind.probability > 0) happens = kind.random.chance(kind.probability);
  if (happens) ++kind.fired;
  return happens;
}

bool FaultPlan::take_space(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (!space_) return true;
  if (*space_ < bytes) {
    ++at(EngineFault::write_no_space).fired;
    return false;
  }
  *space_ -= bytes;
  return true;
}

void FaultPlan::give_space_back(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (space_) *space_ += bytes;
}

std::uint64_t FaultPlan::draw_below(EngineFault kind, std::uint64_t bound) {
  const std::lock_guard lock(mutex_);
  return at(kind).random.below(bound);
}

}  // namespace ringwright
