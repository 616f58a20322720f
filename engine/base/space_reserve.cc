#include "engine/base/space_reserve.h"

#include <algorithm>
#include <utility>

#include "engine/base/units.h"

namespace ringwright {
namespace {

// "3MiB": rounded down to what a reader can take in.
std::string rough_size(std::uint64_t bytes) {
  constexpr std::uint64_t digits = 1000;
  std::uint64_t unit = 1;
  while (bytes / unit >= digits) unit *= 1024;
  return format_size(bytes / unit * unit);
}

}  // namespace

SpaceReserve::SpaceReserve(Settings settings, std::function<std::uint64_t()> free,
                           std::shared_ptr<const Clock> clock)
    : settings_(std::move(settings)), free_(std::move(free)), clock_(std::move(clock)) {}

bool SpaceReserve::look_is_due(std::uint64_t bytes) {
  if (is_short()) return true;
  const auto taken = static_cast<std::int64_t>(bytes);
  if (allowance_bytes_.fetch_sub(taken, std::memory_order_relaxed) < taken) return true;
  return clock_->now() >= next_look_.load(std::memory_order_relaxed);
}

Status SpaceReserve::look(std::uint64_t bytes, std::uint64_t needed) {
  const std::uint64_t free = free_();
  const std::uint64_t wanted = needed + std::min(bytes, UINT64_MAX - needed);
  is_short_.store(free < wanted, std::memory_order_relaxed);
  if (free < wanted) return {Code::no_space, shortage(free, wanted)};
  allowance_bytes_.store(static_cast<std::int64_t>(settings_.look_bytes),
                         std::memory_order_relaxed);
  next_look_.store(clock_->now() + settings_.look_after, std::memory_order_relaxed);
  return ok_status();
}

Status SpaceReserve::refuse() {
  is_short_.store(true, std::memory_order_relaxed);
  return {Code::no_space,
          "disk of '" + settings_.directory + "' was full a moment ago: free some space"};
}

std::string SpaceReserve::shortage(std::uint64_t free, std::uint64_t wanted) const {
  return "disk of '" + settings_.directory + "' is nearly full: " + rough_size(free) +
         " are free, writes need " + rough_size(wanted) + ": free some space" + settings_.advice;
}

}  // namespace ringwright
