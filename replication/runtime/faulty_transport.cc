#include "replication/runtime/faulty_transport.h"

#include <algorithm>

#include "engine/base/limits.h"

namespace ringwright {

void LinkTable::cut(Endpoint from, Endpoint to) {
  const std::lock_guard lock(mutex_);
  links_[{from, to}].cut = true;
  update_any();
}

void LinkTable::delay(Endpoint from, Endpoint to, Nanoseconds delay) {
  const std::lock_guard lock(mutex_);
  links_[{from, to}].delay = delay;
  if (links_[{from, to}].is_sound()) links_.erase({from, to});
  update_any();
}

void LinkTable::partition(std::vector<std::pair<Endpoint, Endpoint>> links) {
  std::sort(links.begin(), links.end());
  const std::lock_guard lock(mutex_);
  partition_ = std::move(links);
  update_any();
}

void LinkTable::heal() {
  const std::lock_guard lock(mutex_);
  links_.clear();
  partition_.clear();
  update_any();
}

void LinkTable::replace(Links links) {
  std::erase_if(links, [](const auto& entry) { return entry.second.is_sound(); });
  const std::lock_guard lock(mutex_);
  links_ = std::move(links);
  partition_.clear();
  update_any();
}

void LinkTable::update_any() {
  any_.store(!links_.empty() || !partition_.empty(), std::memory_order_release);
}

LinkTable::Link LinkTable::link(Endpoint from, Endpoint to) const {
  const Key key{from, to};
  const std::lock_guard lock(mutex_);
  const auto at = links_.find(key);
  Link link = at == links_.end() ? Link{} : at->second;
  if (std::binary_search(partition_.begin(), partition_.end(), key)) link.cut = true;
  return link;
}

FaultyTransport::FaultyTransport(std::unique_ptr<Transport> inner, std::shared_ptr<LinkTable> links,
                                 std::shared_ptr<Clock> clock)
    : inner_(std::move(inner)),
      links_(std::move(links)),
      clock_(std::move(clock)),
      filter_{[this](Envelope&& envelope) {
                if (links_->any() && links_->link(envelope.source, envelope.target).cut) return;
                receiver_->deliver(std::move(envelope));
              },
              [this](Endpoint endpoint) { receiver_->unreachable(endpoint); }} {}

void FaultyTransport::release_due() {
  if (held_.empty()) return;
  std::vector<Envelope> due;
  const auto end = held_.upper_bound(clock_->now());
  for (auto at = held_.begin(); at != end; ++at)
    if (!links_->link(at->second.source, at->second.target).cut)
      due.push_back(std::move(at->second));
  held_.erase(held_.begin(), end);
  if (!due.empty()) inner_->send(due);
}

void FaultyTransport::poll(Instant until, const Sink& sink) {
  release_due();
  // Held messages must go out when they are due, so the wait ends there; the caller polls again.
  const Instant first_due = held_.empty() ? never : held_.begin()->first;
  receiver_ = &sink;
  inner_->poll(std::min(until, first_due), filter_);
  receiver_ = nullptr;
  release_due();
}

void FaultyTransport::send(std::vector<Envelope>& envelopes) {
  if (!links_->any() && held_.empty()) {
    inner_->send(envelopes);
    return;
  }
  const Instant now = clock_->now();
  std::vector<Envelope> at_once;
  for (Envelope& envelope : envelopes) {
    const LinkTable::Link link = links_->link(envelope.source, envelope.target);
    if (link.cut) continue;
    if (link.delay == 0)
      at_once.push_back(std::move(envelope));
    else if (held_.size() < limits::delayed_messages_max)
      held_.emplace(now + link.delay, std::move(envelope));
  }
  envelopes.clear();
  if (!at_once.empty()) inner_->send(at_once);
}

void FaultyTransport::close() {
  held_.clear();
  inner_->close();
}

}  // namespace ringwright
