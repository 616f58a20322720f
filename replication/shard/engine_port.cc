#include "replication/shard/engine_port.h"

#include <algorithm>
#include <utility>

namespace ringwright {
namespace {

// All of them, with room left behind for about as many again.
template <typename T>
std::vector<T> taken(std::vector<T>& gathered) {
  auto all = std::exchange(gathered, {});
  gathered.reserve(all.size());
  return all;
}

EnginePort::Event& add_event(std::vector<EnginePort::Event>& events, EnginePort::Event::Kind kind,
                             EnginePort::Asker asker) {
  EnginePort::Event& event = events.emplace_back();
  event.kind = kind;
  event.asker = asker;
  return event;
}

}  // namespace

void EnginePort::read(Asker asker, Bytes key) {
  readers_.push_back({asker, 1});
  keys_.push_back(std::move(key));
}

void EnginePort::read(Asker asker, Bytes first, Bytes second) {
  readers_.push_back({asker, 2});
  keys_.push_back(std::move(first));
  keys_.push_back(std::move(second));
}

void EnginePort::put(Asker asker, Bytes key, Bytes row) {
  batch_.put(std::move(key), std::move(row));
  writers_.push_back(asker);
}

void EnginePort::merge(Asker asker, Bytes key, Bytes operand) {
  batch_.merge(std::move(key), std::move(operand));
  writers_.push_back(asker);
}

void EnginePort::remove(Asker asker, Bytes key) {
  batch_.remove(std::move(key));
  writers_.push_back(asker);
}

void EnginePort::scan(Asker asker, KeyRange range, std::size_t limit) {
  EngineWork work;
  work.kind = EngineWork::Kind::scan;
  work.range = std::move(range);
  work.limit = limit;
  scans_.push_back(std::move(work));
  scanners_.push_back(asker);
}

void EnginePort::take_work(Ticket& next_ticket, std::vector<EngineWork>& out) {
  const auto send = [&](EngineWork work, InFlight asked) {
    work.engine = engine_;
    work.ticket = next_ticket++;
    asked.kind = work.kind;
    in_flight_.emplace(work.ticket, std::move(asked));
    out.push_back(std::move(work));
  };
  if (!readers_.empty()) {
    EngineWork work;
    work.kind = EngineWork::Kind::read;
    work.keys = taken(keys_);
    send(std::move(work), {{}, taken(readers_), {}});
  }
  if (!writers_.empty()) {
    EngineWork work;
    work.kind = EngineWork::Kind::write;
    work.batch = std::exchange(batch_, {});
    batch_.reserve(work.batch.size());
    ++open_batch_;
    send(std::move(work), {{}, {}, taken(writers_)});
  }
  if (!to_sync_.empty() && !sync_in_flight_) {
    EngineWork work;
    work.kind = EngineWork::Kind::sync;
    work.sequence = sync_through_;
    syncing_ = std::exchange(to_sync_, {});
    sync_in_flight_ = true;
    send(std::move(work), {});
  }
  for (std::size_t i = 0; i < scans_.size(); ++i)
    send(std::move(scans_[i]), {{}, {}, {scanners_[i]}});
  scans_.clear();
  scanners_.clear();
}

std::span<EnginePort::Event> EnginePort::complete(EngineCompletion completion) {
  const auto at = in_flight_.find(completion.ticket);
  RW_CHECK(at != in_flight_.end());
  const InFlight asked = std::move(at->second);
  in_flight_.erase(at);
  completion_ = std::move(completion);
  events_.clear();
  switch (asked.kind) {
    case EngineWork::Kind::read:
      rows_arrived(asked);
      break;
    case EngineWork::Kind::write:
      batch_ended(asked);
      break;
    case EngineWork::Kind::sync:
      sync_in_flight_ = false;
      for (const Asker asker : std::exchange(syncing_, {}))
        add_event(events_, Event::Kind::durable, asker).status = completion_.status;
      break;
    case EngineWork::Kind::scan:
      add_event(events_, Event::Kind::scanned, asked.writers.front()).status = completion_.status;
      events_.back().scanned = std::move(completion_.scanned);
      break;
  }
  return events_;
}

void EnginePort::rows_arrived(const InFlight& asked) {
  std::span<Result<std::optional<Bytes>>> left = completion_.rows;
  for (const ReadAsked& reader : asked.readers) {
    const auto rows = left.first(std::min(reader.keys, left.size()));
    left = left.subspan(rows.size());
    Event& event = add_event(events_, Event::Kind::rows, reader.asker);
    event.status = completion_.status;
    event.rows = rows;
    if (rows.size() < reader.keys && completion_.status.is_ok())
      event.status = {Code::io_error, "the engine answered fewer rows than were asked"};
  }
}

void EnginePort::batch_ended(const InFlight& asked) {
  const bool applied = completion_.status.is_ok();
  if (applied) sync_through_ = std::max(sync_through_, completion_.sequence);
  for (const Asker asker : asked.writers) {
    Event& event = add_event(events_, Event::Kind::applied, asker);
    if (!applied) {
      event.status = completion_.status;
      continue;
    }
    if (must_sync_)
      to_sync_.push_back(asker);
    else
      add_event(events_, Event::Kind::durable, asker);
  }
}

}  // namespace ringwright
