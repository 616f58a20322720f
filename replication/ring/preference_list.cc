#include "replication/ring/preference_list.h"

#include <algorithm>
#include <cstddef>
#include <span>

#include "engine/base/check.h"

namespace ringwright {
namespace {

std::span<const std::uint32_t> leading(std::span<const std::uint32_t> order, std::uint32_t n) {
  return order.first(std::min<std::size_t>(n, order.size()));
}

}  // namespace

std::vector<PreferenceEntry> preference_list(const Ring& ring, Token token, std::uint32_t n,
                                             const std::vector<bool>& alive) {
  RW_CHECK(alive.size() == ring.members().size());
  const std::span<const std::uint32_t> order = ring.order(ring.partition_of(token));
  const std::span<const std::uint32_t> natural = leading(order, n);
  std::vector<PreferenceEntry> entries;
  entries.reserve(natural.size());
  auto stand_in = order.begin() + static_cast<std::ptrdiff_t>(natural.size());
  for (const std::uint32_t member : natural) {
    if (alive[member]) {
      entries.push_back({member, Role::primary, member});
      continue;
    }
    stand_in = std::find_if(stand_in, order.end(), [&](auto other) { return alive[other]; });
    if (stand_in != order.end()) entries.push_back({*stand_in++, Role::fallback, member});
  }
  return entries;
}

std::vector<std::uint32_t> primaries(const Ring& ring, Token token, std::uint32_t n) {
  const auto natural = leading(ring.order(ring.partition_of(token)), n);
  return {natural.begin(), natural.end()};
}

bool is_primary(const Ring& ring, Token token, std::uint32_t n, std::uint32_t member) {
  const auto natural = leading(ring.order(ring.partition_of(token)), n);
  return std::find(natural.begin(), natural.end(), member) != natural.end();
}

}  // namespace ringwright
