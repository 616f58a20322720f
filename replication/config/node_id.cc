#include "replication/config/node_id.h"

#include <array>
#include <charconv>
#include <string>

#include "engine/base/coding.h"
#include "engine/base/hash.h"

namespace ringwright {

std::optional<NodeId> parse_node_id(std::string_view text) {
  std::string hex;
  for (const char c : text)
    if (c != '-') hex.push_back(c);
  if (hex.size() != 32) return std::nullopt;
  std::array<std::uint64_t, 2> halves{};
  for (std::size_t i = 0; i < 2; ++i) {
    const char* const start = hex.data() + 16 * i;
    const auto read = std::from_chars(start, start + 16, halves[i], 16);
    if (read.ec != std::errc{} || read.ptr != start + 16) return std::nullopt;
  }
  return NodeId{halves[0], halves[1]};
}

NodeId derived_node_id(std::string_view cluster, std::string_view member) {
  Bytes names;
  put_bytes(names, cluster);
  put_bytes(names, member);
  return {hash64(names, 1), hash64(names, 2)};
}

}  // namespace ringwright
