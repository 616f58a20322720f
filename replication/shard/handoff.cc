#include "replication/shard/handoff.h"

namespace ringwright {

std::optional<KeyRange> Handoff::take_scan(Instant now, std::uint64_t rows_written) {
  if (state_ == State::delivering && deliveries_ == 0 && !more_pages_) {
    if (!found_any_) found_none_ = written_at_start_;
    end_scan(now);
    return std::nullopt;
  }
  const bool begin = state_ == State::idle && now >= due_;
  const bool next_page = state_ == State::delivering && deliveries_ == 0;
  if (!begin && !next_page) return std::nullopt;
  if (begin) written_at_start_ = rows_written;
  state_ = State::scanning;
  return page_;
}

void Handoff::scanned(const Status& status, const std::vector<std::pair<Bytes, Bytes>>& rows,
                      Instant now) {
  if (!status.is_ok()) {
    end_scan(now);
    return;
  }
  state_ = State::delivering;
  found_any_ = found_any_ || !rows.empty();
  more_pages_ = rows.size() >= limits::handoff_rows_in_flight;
  if (more_pages_) page_.start = rows.back().first + '\0';
}

void Handoff::end_scan(Instant now) {
  state_ = State::idle;
  due_ = now + limits::handoff_interval;
  page_ = range_;
  found_any_ = false;
}

std::optional<std::uint64_t> Handoff::take_found_none() {
  const auto taken = found_none_;
  found_none_.reset();
  return taken;
}

}  // namespace ringwright
