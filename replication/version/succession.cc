#include "replication/version/succession.h"

#include <array>

#include "engine/base/seeded_bug.h"
#include "replication/version/record_layout.h"

namespace ringwright {
namespace {

bool find_body(Decoder& in) {
  if (in.left() < checked_from) return false;
  in.take(checked_from);
  return in.u8() == static_cast<std::uint8_t>(RecordKind::siblings);
}

}  // namespace

Succession find_succession(ByteView newer, ByteView older, const std::optional<Actor>& marked) {
  constexpr Succession untold;
  if (seeded_bug(SeededBug::merge_drops_sibling)) return untold;
  Decoder in(newer);
  Decoder in_older(older);
  if (!find_body(in) || !find_body(in_older)) return untold;
  const std::uint64_t count = in.varint();
  if (count > viewed_entries_max) return untold;

  Succession found{.is_told = true};
  // Of the older vector, by the newer one's entries; 0 where it does not name the actor.
  std::array<std::uint64_t, viewed_entries_max> raw_counters_before;
  EntryView entry;
  EntryView before{};
  std::uint64_t older_left = in_older.varint();
  if (older_left > 0 && !before.read(in_older)) return untold;
  for (std::size_t i = 0; i < count; ++i) {
    if (!entry.read(in)) return untold;
    raw_counters_before[i] = 0;
    if (older_left > 0 && before.is_same_actor(entry)) {
      raw_counters_before[i] = before.raw_counter;
      if (entry.raw_counter < before.raw_counter || entry.stamp < before.stamp) return untold;
      if (--older_left > 0 && !before.read(in_older)) return untold;
    }
    if (marked && entry.actor() == *marked)
      found.raises_marked = entry.raw_counter > raw_counters_before[i];
  }
  if (older_left > 0) return untold;

  // No detached dots on either side, one sibling on the newer one, and that one is news. All of the
  // older's are covered by its own vector, so by the newer one.
  if (in.varint() != 0 || in_older.varint() != 0 || in.varint() != 1) return untold;
  const std::uint64_t index = in.varint();
  const std::uint64_t counter = in.varint();
  if (in.failed() || in_older.failed() || index >= count) return untold;
  return counter > varint_value(raw_counters_before[index]) ? found : untold;
}

}  // namespace ringwright
