#include "replication/ring/ring.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/coding.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "replication/ring/placement.h"
#include "replication/ring/spread.h"

namespace ringwright {
namespace {

Status invalid(std::string message) { return {Code::invalid, std::move(message)}; }

Status check_members(const std::vector<Member>& members) {
  if (members.empty()) return invalid("a ring needs at least one member");
  if (members.size() > Ring::members_max)
    return invalid("a ring has at most " + std::to_string(Ring::members_max) + " members, not " +
                   std::to_string(members.size()));
  std::set<NodeId> ids;
  std::set<std::string_view> names;
  for (const Member& member : members) {
    if (!ids.insert(member.id).second)
      return invalid("two members have the id " + to_string(member.id));
    if (!names.insert(member.name).second)
      return invalid("two members have the name " + printable(member.name));
    if (member.weight == 0) return invalid("member " + printable(member.name) + " has weight 0");
  }
  return ok_status();
}

Status check_partitions(std::size_t members, std::uint64_t partitions) {
  if (partitions == 0) return invalid("a ring needs at least one partition");
  if (partitions > limits::partitions_max)
    return invalid("a ring has at most " + std::to_string(limits::partitions_max) +
                   " partitions, not " + std::to_string(partitions));
  if (partitions < members)
    return invalid(std::to_string(partitions) + " partitions are too few for " +
                   std::to_string(members) + " members: each needs one");
  if (partitions * members > Ring::order_entries_max)
    return invalid(std::to_string(partitions) + " partitions are too many for " +
                   std::to_string(members) + " members: their product is at most " +
                   std::to_string(Ring::order_entries_max));
  return ok_status();
}

}  // namespace

Result<Ring> Ring::make(std::uint64_t epoch, std::vector<Member> members,
                        std::uint32_t partitions) {
  RW_TRY(check_members(members));
  RW_TRY(check_partitions(members.size(), partitions));
  std::vector<std::uint32_t> owners = claim(members, partitions, default_target_n(members.size()));
  return make_with_owners(epoch, std::move(members), std::move(owners));
}

Result<Ring> Ring::make_with_owners(std::uint64_t epoch, std::vector<Member> members,
                                    std::vector<std::uint32_t> owners) {
  RW_TRY(check_members(members));
  RW_TRY(check_partitions(members.size(), owners.size()));
  for (const std::uint32_t owner : owners) {
    if (owner >= members.size())
      return invalid("a partition is owned by member " + std::to_string(owner) + " of " +
                     std::to_string(members.size()));
  }
  Ring ring;
  ring.epoch_ = epoch;
  ring.members_ = std::move(members);
  ring.owners_ = std::move(owners);
  ring.finish();
  return ring;
}

Result<Ring> Ring::make_random_tokens(std::uint64_t epoch, std::vector<Member> members,
                                      std::uint32_t tokens_per_weight, Random& random) {
  RW_TRY(check_members(members));
  std::uint64_t weights = 0;
  for (const Member& member : members) weights += member.weight;
  // Both factors are bounded before they are multiplied.
  if (weights > limits::partitions_max || tokens_per_weight > limits::partitions_max)
    return invalid("a ring has at most " + std::to_string(limits::partitions_max) + " tokens");
  RW_TRY(check_partitions(members.size(), weights * tokens_per_weight));

  std::map<Token, std::uint32_t> owner_from;
  for (std::uint32_t member = 0; member < members.size(); ++member) {
    const std::uint64_t tokens = std::uint64_t{members[member].weight} * tokens_per_weight;
    for (std::uint64_t drawn = 0; drawn < tokens;) {
      if (owner_from.emplace(random.next(), member).second) ++drawn;
    }
  }
  Ring ring;
  ring.epoch_ = epoch;
  ring.members_ = std::move(members);
  for (const auto& [token, owner] : owner_from) {
    ring.first_tokens_.push_back(token);
    ring.owners_.push_back(owner);
  }
  ring.finish();
  return ring;
}

std::optional<std::uint32_t> Ring::index_of(const NodeId& id) const {
  const auto at = std::lower_bound(by_id_.begin(), by_id_.end(), std::pair(id, std::uint32_t{0}));
  if (at == by_id_.end() || at->first != id) return std::nullopt;
  return at->second;
}

std::optional<std::uint32_t> Ring::index_of_name(std::string_view name) const {
  for (std::uint32_t member = 0; member < members_.size(); ++member) {
    if (members_[member].name == name) return member;
  }
  return std::nullopt;
}

std::uint32_t Ring::partition_of(Token token) const {
  if (first_tokens_.empty()) {
    const auto scaled = static_cast<unsigned __int128>(token) * owners_.size();
    return static_cast<std::uint32_t>(scaled >> 64);
  }
  const auto after = std::upper_bound(first_tokens_.begin(), first_tokens_.end(), token);
  if (after == first_tokens_.begin()) return partitions() - 1;
  return static_cast<std::uint32_t>(after - first_tokens_.begin()) - 1;
}

Token Ring::first_token(std::uint32_t partition) const {
  RW_CHECK(partition < partitions());
  if (!first_tokens_.empty()) return first_tokens_[partition];
  const auto start = static_cast<unsigned __int128>(partition) << 64;
  return static_cast<Token>((start + owners_.size() - 1) / owners_.size());
}

void Ring::finish() {
  for (std::uint32_t member = 0; member < members_.size(); ++member)
    by_id_.emplace_back(members_[member].id, member);
  std::sort(by_id_.begin(), by_id_.end());
  order_by_ring();
  spread_over_racks();
  hash_ = hash_of_placement();
}

// A partition's ring order is its owner, then the next partition's order without that owner. So one
// round backwards finds for the last partition who follows it beyond the wrap, and a second one
// yields all orders. Members that own nothing stay behind the others, by index.
void Ring::order_by_ring() {
  std::vector<std::uint32_t> order(members_.size());
  std::iota(order.begin(), order.end(), 0);
  const auto prepend = [&](std::uint32_t owner) {
    const auto at = std::find(order.begin(), order.end(), owner);
    std::rotate(order.begin(), at, at + 1);
  };
  std::for_each(owners_.rbegin(), owners_.rend(), prepend);
  orders_.resize(owners_.size() * members_.size());
  auto end = orders_.end();
  for (auto owner = owners_.rbegin(); owner != owners_.rend(); ++owner) {
    prepend(*owner);
    end = std::copy_backward(order.begin(), order.end(), end);
  }
}

void Ring::spread_over_racks() {
  const Spread spread(members_);
  if (spread.flat()) return;
  const std::span<std::uint32_t> all(orders_);
  for (std::size_t from = 0; from < all.size(); from += members_.size())
    spread.arrange(all.subspan(from, members_.size()), limits::replicas_max);
}

std::uint64_t Ring::hash_of_placement() const {
  Bytes placement;
  put_varint(placement, members_.size());
  for (const Member& member : members_) {
    put_node_id(placement, member.id);
    put_bytes(placement, member.name);
    put_bytes(placement, member.rack);
    put_bytes(placement, member.data_centre);
    put_varint(placement, member.weight);
  }
  put_varint(placement, owners_.size());
  for (const std::uint32_t owner : owners_) put_varint(placement, owner);
  put_varint(placement, first_tokens_.size());
  for (const Token token : first_tokens_) put_u64(placement, token);
  return hash64(placement);
}

}  // namespace ringwright
