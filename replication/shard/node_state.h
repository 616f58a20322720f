#pragma once

#include <memory>

#include "replication/membership/membership.h"
#include "replication/version/hlc.h"

namespace ringwright {

// A shard whose clock comes this near the bound tells its node, which cannot know what stamps the
// shard has seen.
constexpr std::uint64_t clock_margin_us = 100'000;

// What a node hands to its shards: an immutable value, replaced as a whole.
struct NodeState {
  std::shared_ptr<const View> view;
  Timestamp clock_bound = 0;  // durable: a restart begins above it
};

}  // namespace ringwright
