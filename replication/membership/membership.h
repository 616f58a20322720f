#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/base/limits.h"
#include "engine/base/time.h"
#include "replication/ring/ring.h"

namespace ringwright {

enum class MemberState : std::uint8_t {
  alive,    // asked
  suspect,  // silent or unreachable; not asked, but pinged
  dead,     // given up, yet a member: it may come back
  left,     // no member any more
};

// What a node believes of the members at one instant. Immutable once published; any thread may keep
// it as long as it likes.
struct View {
  std::shared_ptr<const Ring> ring;
  std::vector<MemberState> states;  // one for each member of the ring, by its index
  std::uint64_t version = 0;

  // Whom to ask: true for members that are alive, false for suspect, dead and left ones, for which
  // fallbacks stand in.
  std::vector<bool> alive() const;
};

// Who belongs to the cluster and who seems to be up: a machine without clock and socket. Its driver
// hands in what it learns, always before `tick`, and sends the pings that `tick` asks for; any
// answer counts as being heard. Instants never step back. One thread; only views are shared.
class Membership {
 public:
  virtual ~Membership() = default;

  // Never null. Each change makes a new object with a higher version; an unchanged one means that
  // nothing changed.
  virtual std::shared_ptr<const View> view() const = 0;
  // A message, of whatever kind, arrived from this member.
  virtual void heard_from(std::uint32_t member, Instant now) = 0;
  // The transport says that the connection to this member is lost or refused.
  virtual void unreachable(std::uint32_t member, Instant now) = 0;
  // Lets time pass; returns the members to ping now, each once and never this node itself.
  virtual std::vector<std::uint32_t> tick(Instant now) = 0;
  // When `tick` next has something to do; later than the last tick. `never`: nothing.
  virtual Instant next_deadline() const = 0;
};

// Members that come from the configuration and never change; whether each is up is told by pings.
//
//                  silent for suspect_after (tick), or unreachable
//      +-------+ -------------------------------------------------> +---------+
//   -->| alive |                                                    | suspect |
//      +-------+ <------------------------------------------------- +---------+
//                                  heard_from
//
// Invariants:
//  1. This node itself is alive and is never pinged, whatever is reported of it.
//  2. A state is alive or suspect; dead and left need an agreement of several nodes.
//  3. A member is alive after tick(now) only if it was heard, or the machine was made, less than
//     suspect_after before now, and no `unreachable` came since.
//  4. Whatever the states, every other member is pinged once in each ping_interval of ticks, so
//     that a suspect is found again; late ticks are not made up for by further pings.
//  5. A view's version rises by one exactly when a state changed; one tick makes one view at most.
//  6. After tick(now), next_deadline() > now.
class FixedMembership final : public Membership {
 public:
  // All start alive, as if heard at `now`; the first tick pings. Both spans are positive.
  FixedMembership(std::shared_ptr<const Ring> ring, std::uint32_t self, Instant now,
                  Nanoseconds ping_interval = limits::ping_interval,
                  Nanoseconds suspect_after = limits::suspect_after);

  std::shared_ptr<const View> view() const override { return view_; }
  void heard_from(std::uint32_t member, Instant now) override;
  void unreachable(std::uint32_t member, Instant now) override;
  std::vector<std::uint32_t> tick(Instant now) override;
  Instant next_deadline() const override;

 private:
  void set_state(std::uint32_t member, MemberState state);
  void publish(std::vector<MemberState> states);

  const std::uint32_t self_;
  const Nanoseconds ping_interval_;
  const Nanoseconds suspect_after_;
  Instant next_ping_;
  std::vector<Instant> heard_;
  std::shared_ptr<const View> view_;
};

}  // namespace ringwright
