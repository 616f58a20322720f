#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/random.h"
#include "engine/base/status.h"
#include "replication/ring/member.h"
#include "replication/version/storage_key.h"

namespace ringwright {

// Which member keeps which tokens: an immutable value, named by (epoch, hash).
//
// Tokens are cut into partitions, each owned by one member; a partition's order lists all members
// as its keys prefer them. Members are addressed by their index in `members()`, which keeps the
// order that the maker was given; an index means something only together with the ring's name.
//
// Threads: any number may read one ring. Lifetime: views and references live as long as the ring.
// Memory: 4 bytes for each pair of partition and member.
class Ring {
 public:
  static constexpr std::size_t members_max = 1024;
  // Partitions times members: 64 MiB of orders.
  static constexpr std::size_t order_entries_max = std::size_t{1} << 24;

  // Equal partitions, dealt by `claim` (placement.h): the default strategy. The same arguments give
  // the same ring in every process. `invalid`: no members or more than members_max, an id or name
  // twice, a weight of 0, fewer partitions than members, more than limits::partitions_max, or more
  // than order_entries_max orders.
  static Result<Ring> make(std::uint64_t epoch, std::vector<Member> members,
                           std::uint32_t partitions);
  // Equal partitions with given owners (member indices), as `reclaim` returns them. `invalid` also
  // when an owner is no member.
  static Result<Ring> make_with_owners(std::uint64_t epoch, std::vector<Member> members,
                                       std::vector<std::uint32_t> owners);
  // Random tokens: each member draws tokens_per_weight × weight of them and owns from each up to
  // the next token. Balance is only statistical: with T tokens a member's share deviates from its
  // due by about 1/sqrt(T) of it. `invalid` as above, the sum of all tokens being the partitions.
  static Result<Ring> make_random_tokens(std::uint64_t epoch, std::vector<Member> members,
                                         std::uint32_t tokens_per_weight, Random& random);

  std::uint64_t epoch() const { return epoch_; }
  // Over members, partitions and owners, not over the epoch: rings of equal hash place alike.
  std::uint64_t hash() const { return hash_; }

  const std::vector<Member>& members() const { return members_; }
  std::optional<std::uint32_t> index_of(const NodeId& id) const;
  std::optional<std::uint32_t> index_of_name(std::string_view name) const;

  std::uint32_t partitions() const { return static_cast<std::uint32_t>(owners_.size()); }
  // O(1) for equal partitions, else O(log partitions).
  std::uint32_t partition_of(Token token) const;
  // The partition's first token; it reaches to the next one's first. With random tokens the last
  // partition goes on past the highest token to the first one's start.
  Token first_token(std::uint32_t partition) const;
  std::uint32_t owner(std::uint32_t partition) const { return owners_[partition]; }
  const std::vector<std::uint32_t>& owners() const { return owners_; }

  // Every member once, the owner first. The first limits::replicas_max entries are chosen one by
  // one: from the data centres with the fewest entries so far, there from the racks with the
  // fewest, there the member whose next partition on the ring comes first; the others follow in
  // ring order. Hence any leading n entries lie in as many data centres, and in these in as many
  // racks, as there are, and a small rack's members keep more than their weight's share.
  std::span<const std::uint32_t> order(std::uint32_t partition) const {
    return {orders_.data() + std::size_t{partition} * members_.size(), members_.size()};
  }

 private:
  Ring() = default;
  void finish();
  void order_by_ring();
  void spread_over_racks();
  std::uint64_t hash_of_placement() const;

  std::uint64_t epoch_ = 0;
  std::uint64_t hash_ = 0;
  std::vector<Member> members_;
  std::vector<std::uint32_t> owners_;
  std::vector<Token> first_tokens_;  // ascending; empty: partitions are equal
  std::vector<std::uint32_t> orders_;
  std::vector<std::pair<NodeId, std::uint32_t>> by_id_;  // ascending
};

}  // namespace ringwright
