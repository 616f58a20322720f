#include "replication/shard/engine_port.h"

#include <algorithm>
#include <utility>

namespace ringwright {

void EnginePort::read(Asker asker, std::vector<Bytes> keys) {
  readers_.push_back({asker, keys.size()});
  std::move(keys.begin(), keys.end(), std::back_inserter(keys_));
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
    work.keys = std::exchange(keys_, {});
    send(std::move(work), {{}, std::exchange(readers_, {}), {}});
  }
  if (!writers_.empty()) {
    EngineWork work;
    work.kind = EngineWork::Kind::write;
    work.batch = std::exchange(batch_, {});
    ++open_batch_;
    send(std::move(work), {{}, {}, std::exchange(writers_, {})});
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

std::vector<EnginePort::Event> EnginePort::complete(EngineCompletion completion) {
  std::vector<Event> events;
  const auto at = in_flight_.find(completion.ticket);
  RW_CHECK(at != in_flight_.end());
  const InFlight asked = std::move(at->second);
  in_flight_.erase(at);
  switch (asked.kind) {
    case EngineWork::Kind::read:
      rows_arrived(asked, completion, events);
      break;
    case EngineWork::Kind::write:
      batch_ended(asked, completion, events);
      break;
    case EngineWork::Kind::sync:
      sync_in_flight_ = false;
      for (const Asker asker : std::exchange(syncing_, {}))
        events.push_back({Event::Kind::durable, asker, completion.status, {}, {}});
      break;
    case EngineWork::Kind::scan:
      events.push_back({Event::Kind::scanned,
                        asked.writers.front(),
                        completion.status,
                        {},
                        std::move(completion.scanned)});
      break;
  }
  return events;
}

void EnginePort::rows_arrived(const InFlight& asked, EngineCompletion& completion,
                              std::vector<Event>& out) {
  auto row = completion.rows.begin();
  for (const ReadAsked& reader : asked.readers) {
    Event event{Event::Kind::rows, reader.asker, completion.status, {}, {}};
    for (std::size_t i = 0; i < reader.keys && row != completion.rows.end(); ++i)
      event.rows.push_back(std::move(*row++));
    if (event.rows.size() < reader.keys && event.status.is_ok())
      event.status = {Code::io_error, "the engine answered fewer rows than were asked"};
    out.push_back(std::move(event));
  }
}

void EnginePort::batch_ended(const InFlight& asked, const EngineCompletion& completion,
                             std::vector<Event>& out) {
  const bool applied = completion.status.is_ok();
  if (applied) sync_through_ = std::max(sync_through_, completion.sequence);
  for (const Asker asker : asked.writers) {
    out.push_back({Event::Kind::applied, asker, completion.status, {}, {}});
    if (!applied) continue;
    if (must_sync_)
      to_sync_.push_back(asker);
    else
      out.push_back({Event::Kind::durable, asker, {}, {}, {}});
  }
}

}  // namespace ringwright
