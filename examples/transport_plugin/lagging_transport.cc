#include "lagging_transport.h"

#include <algorithm>
#include <iterator>

namespace lagging {

LaggingTransport::LaggingTransport(std::unique_ptr<rw::Transport> inner, const Lag& lag,
                                   const std::string& name, std::shared_ptr<rw::Clock> clock)
    : inner_(std::move(inner)), lag_(lag), clock_(std::move(clock)), random_(lag.seed, name) {}

rw::Instant LaggingTransport::release() {
  if (held_.empty()) return rw::never;
  const rw::Instant now = clock_->now();
  rw::Instant next = rw::never;
  for (auto at = held_.begin(); at != held_.end();) {
    std::deque<Held>& queue = at->second;
    for (; !queue.empty() && queue.front().due <= now; queue.pop_front())
      due_.push_back(std::move(queue.front().envelope));
    if (!queue.empty()) next = std::min(next, queue.front().due);
    at = queue.empty() ? held_.erase(at) : std::next(at);
  }
  if (!due_.empty()) inner_->send(due_);
  return next;
}

void LaggingTransport::poll(rw::Instant until, const Sink& sink) {
  // Where something falls due first, the wait ends for nothing: the next poll sends it.
  inner_->poll(std::min(until, release()), sink);
}

void LaggingTransport::send(std::vector<rw::Envelope>& envelopes) {
  const rw::Instant now = clock_->now();
  for (rw::Envelope& envelope : envelopes) {
    std::deque<Held>& queue = held_[envelope.target];
    if (queue.size() >= held_max) {
      ++dropped_total_;
      continue;
    }
    rw::Instant due = now;
    if (envelope.source != envelope.target) due += lag_.latency + random_.between(0, lag_.jitter);
    queue.push_back({due, std::move(envelope)});
    ++held_total_;
  }
  envelopes.clear();
  release();
}

void LaggingTransport::close() {
  held_.clear();
  inner_->close();
}

std::vector<std::pair<std::string, std::uint64_t>> LaggingTransport::counters() const {
  auto counted = inner_->counters();
  counted.emplace_back("ringwright_lagging_held_total", held_total_);
  counted.emplace_back("ringwright_lagging_dropped_total", dropped_total_);
  return counted;
}

}  // namespace lagging
