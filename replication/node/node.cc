#include "replication/node/node.h"

#include <algorithm>
#include <utility>

#include "engine/base/limits.h"
#include "replication/version/storage_key.h"

namespace ringwright {
namespace {

constexpr std::uint8_t clock_bound_format = 1;
constexpr Nanoseconds lease_retry_after = milliseconds(200);
// How far a bound lies ahead of the wall clock. A restart begins at the bound, and what it stamps
// from there on must be believed by peers whose wall clocks are behind: so well below what they
// believe.
constexpr std::uint64_t lease_us =
    std::min(limits::clock_lease_us, limits::clock_ahead_us_max * 2 / 5);
// How far it lies ahead of stamps that are ahead of the wall clock themselves, and what a start
// adds to the bound it began at: little, so that restarts here and there in quick succession, each
// of which moves all clocks to its bound, do not run away from the wall clock together.
constexpr std::uint64_t step_us = 4 * clock_margin_us;
constexpr std::uint64_t start_step_us = 2 * clock_margin_us;
// How often the lease is looked at, whoever else is a member: often enough to renew it in time.
constexpr Nanoseconds lease_look_interval = microseconds(lease_us / 8);

}  // namespace

Node::Node(NodeSettings settings, std::unique_ptr<Membership> membership, Timestamp stored_bound)
    : settings_(std::move(settings)),
      membership_(std::move(membership)),
      stored_bound_(stored_bound),
      durable_bound_(stored_bound) {
  publish();
}

Bytes Node::clock_bound_key() {
  return storage_key_start(RowKind::system).substr(0, 1) + "clock_bound";
}

Bytes Node::encode_clock_bound(Timestamp bound) {
  Bytes out;
  put_u8(out, clock_bound_format);
  put_u64(out, bound);
  return out;
}

Result<Timestamp> Node::decode_clock_bound(ByteView bytes) {
  Decoder in(bytes);
  const std::uint8_t format = in.u8();
  const Timestamp bound = in.u64();
  if (!in.complete() || format != clock_bound_format)
    return Status{Code::corrupt, "the stored clock bound cannot be decoded"};
  return bound;
}

std::optional<std::uint32_t> Node::member_at(Endpoint endpoint) const {
  const auto at = std::find(settings_.endpoints.begin(), settings_.endpoints.end(), endpoint);
  if (endpoint == settings_.endpoint || at == settings_.endpoints.end()) return std::nullopt;
  return static_cast<std::uint32_t>(at - settings_.endpoints.begin());
}

void Node::publish() {
  view_ = membership_->view();
  auto state = std::make_shared<NodeState>();
  state->view = view_;
  state->clock_bound = durable_bound_;
  output_.published = std::move(state);
}

void Node::receive(const Envelope& envelope, Moment moment) {
  if (envelope.source == settings_.endpoint) {
    seen_ = std::max(seen_, envelope.stamp);
    renew_lease(moment);
    return;
  }
  heard_from(envelope.source, moment);
  if (std::holds_alternative<Ping>(envelope.message))
    output_.messages.push_back({settings_.endpoint, envelope.source, 0, Pong{}});
}

void Node::heard_from(Endpoint endpoint, Moment moment) {
  if (const auto member = member_at(endpoint)) {
    membership_->heard_from(*member, moment.now);
    if (membership_->view() != view_) publish();
  }
}

void Node::unreachable(Endpoint endpoint, Moment moment) {
  if (const auto member = member_at(endpoint)) {
    membership_->unreachable(*member, moment.now);
    if (membership_->view() != view_) publish();
  }
}

void Node::tick(Moment moment) {
  for (const std::uint32_t member : membership_->tick(moment.now))
    output_.messages.push_back({settings_.endpoint, settings_.endpoints.at(member), 0, Ping{}});
  if (membership_->view() != view_) publish();
  renew_lease(moment);
}

Instant Node::next_deadline() const {
  return std::min(membership_->next_deadline(), next_lease_look_);
}

// Renewed while half of it is left beyond wall time and what a shard told.
void Node::renew_lease(Moment moment) {
  next_lease_look_ = moment.now + lease_look_interval;
  const auto beyond_wall = timestamp_at(moment.wall_us + lease_us);
  const auto beyond_seen = timestamp_at(wall_us_of(seen_) + step_us);
  const bool starting = durable_bound_ == stored_bound_;
  const bool enough = durable_bound_ >= timestamp_at(moment.wall_us + lease_us / 2) &&
                      durable_bound_ >= timestamp_at(wall_us_of(seen_) + step_us / 2);
  if (lease_ != Lease::idle || moment.now < retry_lease_at_ || (enough && !starting)) return;
  wanted_bound_ = std::max(beyond_wall, beyond_seen);
  if (starting)
    wanted_bound_ =
        std::max(wanted_bound_, timestamp_at(wall_us_of(durable_bound_) + start_step_us));
  EngineWork work;
  work.kind = EngineWork::Kind::write;
  work.engine = system_engine;
  work.ticket = next_ticket_++;
  work.batch.put(clock_bound_key(), encode_clock_bound(wanted_bound_));
  output_.work.push_back(std::move(work));
  lease_ = Lease::writing;
}

void Node::complete(const EngineCompletion& completion, Moment moment) {
  if (!completion.status.is_ok()) {
    lease_ = Lease::idle;
    retry_lease_at_ = moment.now + lease_retry_after;
  } else if (lease_ == Lease::writing) {
    EngineWork work;
    work.kind = EngineWork::Kind::sync;
    work.engine = system_engine;
    work.ticket = next_ticket_++;
    work.sequence = completion.sequence;
    output_.work.push_back(std::move(work));
    lease_ = Lease::syncing;
  } else if (lease_ == Lease::syncing) {
    lease_ = Lease::idle;
    durable_bound_ = wanted_bound_;
    publish();
  }
}

NodeOutput Node::take_output() { return std::exchange(output_, {}); }

}  // namespace ringwright
