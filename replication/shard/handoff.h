#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "engine/base/limits.h"
#include "engine/base/time.h"
#include "engine/storage_engine.h"

namespace ringwright {

// When the fallback rows of one shard and engine are read for delivery to their primaries: page by
// page, each page delivered before the next is read, a pause after each whole scan.
//
//   idle ---- due ----> scanning ---- rows ----> delivering
//    ^                     ^                         |
//    |                     +---- more pages ---------+
//    +------------ the scan is over, pause ----------+
class Handoff {
 public:
  explicit Handoff(KeyRange range) : range_(range), page_(std::move(range)) {}

  // The page to read now, if any; `rows_written` counts the fallback rows ever written.
  std::optional<KeyRange> take_scan(Instant now, std::uint64_t rows_written);
  // What the page held. A failed scan starts over after the pause.
  void scanned(const Status& status, const std::vector<std::pair<Bytes, Bytes>>& rows, Instant now);
  void delivery_started() { ++deliveries_; }
  void delivery_ended() { --deliveries_; }

  // Once after a whole scan that found no row: how many had been written when it began.
  std::optional<std::uint64_t> take_found_none();
  Instant next_deadline() const { return state_ == State::idle ? due_ : never; }

 private:
  enum class State : std::uint8_t { idle, scanning, delivering };

  void end_scan(Instant now);

  State state_ = State::idle;
  KeyRange range_;
  KeyRange page_;
  bool more_pages_ = false;
  bool found_any_ = false;
  std::size_t deliveries_ = 0;
  std::uint64_t written_at_start_ = 0;
  std::optional<std::uint64_t> found_none_;
  Instant due_ = 0;
};

}  // namespace ringwright
