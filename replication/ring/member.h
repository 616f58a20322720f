#pragma once

#include <cstdint>
#include <string>

#include "replication/version/actor.h"

namespace ringwright {

// One node as the ring knows it. A rack is a rack of its data centre: the same rack name in two
// data centres is two racks. An empty name counts as one rack, or data centre, like any other.
struct Member {
  NodeId id;
  std::string name;
  std::string rack;
  std::string data_centre;
  std::uint32_t weight = 1;  // share of the keys relative to the other members; at least 1
  friend bool operator==(const Member&, const Member&) = default;
};

}  // namespace ringwright
