#include "replication/membership/membership.h"

#include <algorithm>
#include <utility>

#include "engine/base/check.h"

namespace ringwright {
namespace {

// The sum, or `never` when it lies beyond.
Instant later(Instant from, Nanoseconds by) { return from > never - by ? never : from + by; }

}  // namespace

std::vector<bool> View::alive() const {
  std::vector<bool> alive;
  alive.reserve(states.size());
  for (const MemberState state : states) alive.push_back(state == MemberState::alive);
  return alive;
}

FixedMembership::FixedMembership(std::shared_ptr<const Ring> ring, std::uint32_t self, Instant now,
                                 Nanoseconds ping_interval, Nanoseconds suspect_after)
    : self_(self), ping_interval_(ping_interval), suspect_after_(suspect_after), next_ping_(now) {
  RW_CHECK(ring != nullptr);
  RW_CHECK(self < ring->members().size());
  RW_CHECK(ping_interval > 0 && suspect_after > 0);
  heard_.assign(ring->members().size(), now);
  std::vector<MemberState> states(ring->members().size(), MemberState::alive);
  view_ = std::make_shared<const View>(View{std::move(ring), std::move(states), 1});
}

void FixedMembership::heard_from(std::uint32_t member, Instant now) {
  RW_CHECK(member < heard_.size());
  if (member == self_) return;
  heard_[member] = std::max(heard_[member], now);
  set_state(member, MemberState::alive);
}

void FixedMembership::unreachable(std::uint32_t member, Instant) {
  RW_CHECK(member < heard_.size());
  if (member == self_) return;
  set_state(member, MemberState::suspect);
}

std::vector<std::uint32_t> FixedMembership::tick(Instant now) {
  const bool ping = now >= next_ping_;
  if (ping) next_ping_ = later(now, ping_interval_);
  std::vector<std::uint32_t> to_ping;
  std::vector<MemberState> states = view_->states;
  for (std::uint32_t member = 0; member < heard_.size(); ++member) {
    if (member == self_) continue;
    if (ping) to_ping.push_back(member);
    if (now >= later(heard_[member], suspect_after_)) states[member] = MemberState::suspect;
  }
  if (states != view_->states) publish(std::move(states));
  return to_ping;
}

Instant FixedMembership::next_deadline() const {
  if (heard_.size() == 1) return never;
  Instant deadline = next_ping_;
  for (std::uint32_t member = 0; member < heard_.size(); ++member) {
    if (member == self_ || view_->states[member] != MemberState::alive) continue;
    deadline = std::min(deadline, later(heard_[member], suspect_after_));
  }
  return deadline;
}

void FixedMembership::set_state(std::uint32_t member, MemberState state) {
  if (view_->states[member] == state) return;
  std::vector<MemberState> states = view_->states;
  states[member] = state;
  publish(std::move(states));
}

void FixedMembership::publish(std::vector<MemberState> states) {
  view_ = std::make_shared<const View>(View{view_->ring, std::move(states), view_->version + 1});
}

}  // namespace ringwright
