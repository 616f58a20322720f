#pragma once

#include <optional>
#include <string_view>

#include "replication/version/actor.h"

namespace ringwright {

// A UUID: 32 hexadecimal digits, with or without '-'.
std::optional<NodeId> parse_node_id(std::string_view text);

// The id of a member whose configuration gives none: the same for everybody who knows the two
// names, and another one in another cluster. Part of the format: docs/formats.md.
NodeId derived_node_id(std::string_view cluster, std::string_view member);

}  // namespace ringwright
