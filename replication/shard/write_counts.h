#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/base/limits.h"

namespace ringwright {

// Counts the writes of single keys, to find those that come often, in a bounded table: after Misra
// and Gries, "Finding repeated elements", 1982. Keys share a set of four places; one that finds all
// taken takes one count from each instead. So of the writes that meet in a set, a key's count lacks
// a fifth of them at most, and what is written no more makes room.
class WriteCounts {
 public:
  // One more write of what has this hash. True, and counted from zero again, when `enough` came.
  bool add(std::uint64_t hash, std::uint32_t enough) {
    if (places_.empty()) places_.resize(limits::key_waiters_max);
    const auto set = places_.begin() + static_cast<std::ptrdiff_t>(hash % sets * set_places);
    const auto end = set + set_places;
    auto place = std::find_if(
        set, end, [hash](const Place& each) { return each.count > 0 && each.hash == hash; });
    if (place == end)
      place = std::find_if(set, end, [](const Place& each) { return each.count == 0; });
    if (place == end) {
      for (auto each = set; each != end; ++each) --each->count;
      return false;
    }
    *place = {hash, place->count + 1};
    if (place->count < enough) return false;
    place->count = 0;
    return true;
  }

 private:
  struct Place {
    std::uint64_t hash = 0;
    std::uint32_t count = 0;  // 0: free
  };
  static constexpr std::size_t set_places = 4;
  static constexpr std::size_t sets = limits::key_waiters_max / set_places;

  std::vector<Place> places_;
};

}  // namespace ringwright
