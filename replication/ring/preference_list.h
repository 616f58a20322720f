#pragma once

#include <cstdint>
#include <vector>

#include "replication/ring/ring.h"

namespace ringwright {

// A primary is a natural owner of a key; a fallback stands in for one that is not alive.
enum class Role : std::uint8_t { primary, fallback };

struct PreferenceEntry {
  std::uint32_t member = 0;
  Role role = Role::primary;
  std::uint32_t stands_in_for = 0;  // a primary stands for itself
  friend bool operator==(const PreferenceEntry&, const PreferenceEntry&) = default;
};

// Whom to ask for the keys at `token`, each member at most once. The first n members of the
// partition's order are the primaries; each that is not alive is replaced by the next alive member
// beyond them, and left out when there is none left. Entries stand in the primaries' order.
// `alive` has one element for each member of the ring. With fewer than n members all are primaries.
std::vector<PreferenceEntry> preference_list(const Ring& ring, Token token, std::uint32_t n,
                                             const std::vector<bool>& alive);

// The n members (fewer when the ring has fewer) that keep the keys at `token`, alive or not.
std::vector<std::uint32_t> primaries(const Ring& ring, Token token, std::uint32_t n);
bool is_primary(const Ring& ring, Token token, std::uint32_t n, std::uint32_t member);

}  // namespace ringwright
