#pragma once

#include <cstdint>
#include <vector>

#include "replication/ring/member.h"

namespace ringwright {

// Dealing equal partitions to members: pure, deterministic functions over member indices. A deal
// lists the owner of each partition; partitions lie on a circle.
//
// What a deal keeps, with Q partitions and W the sum of the weights:
//  1. Balance. A member of weight w owns Q·w/W partitions, rounded down or up; hence any two
//     members are at most one partition per unit of weight apart. A member may own none when its
//     due is less than one.
//  2. Neighbours. No member owns two of any target_n consecutive partitions, wrap included. On a
//     circle that can hold only if nobody owns more than Q / target_n (rounded down): `claim`
//     reaches it whenever that is so. Otherwise (target_n members and Q no multiple of it, or a
//     member of great weight) balance wins, windows of Q / (the most that one member owns) are
//     still free of repetition, and wider ones are where possible.
//  3. Few moves. `reclaim` moves only a little more than what balance forces.
//  4. Dispersal. Within 2 the members follow each other in varying order, so that several members
//     take over from one that is down, and members of one rack or data centre are kept apart.
//
// A repetition costs balance among replicas, never safety: a ring's order skips members that it has
// already.

// Three replicas, the usual n, and the first fallback then lie side by side. A larger target leaves
// small clusters less choice in 3 and 4.
constexpr std::uint32_t target_n_default = 4;
std::uint32_t default_target_n(std::size_t members);

// A first deal. Needs members, weights of at least 1, partitions, and a target_n from 1 to
// limits::replicas_max.
std::vector<std::uint32_t> claim(const std::vector<Member>& members, std::uint32_t partitions,
                                 std::uint32_t target_n);

// A deal for `new_members` that keeps most of `previous`, a deal for `old_members`; members are the
// same by id, so this serves joining, leaving, replacing and re-weighting. Needs what `claim`
// needs. Rule 1 always holds. Up to an eighth more than the forced moves, and 4, are spent on
// rule 2. With equal weights that suffices, in general, where three members more than target_n
// remain, or one more after a join; in a smaller cluster only a new deal could avoid all
// repetitions, and what is left of them `crowded_windows` tells.
std::vector<std::uint32_t> reclaim(const std::vector<std::uint32_t>& previous,
                                   const std::vector<Member>& old_members,
                                   const std::vector<Member>& new_members, std::uint32_t target_n);

// The moves that balance forces: the least that any deal of rule 1 needs.
std::uint32_t forced_moves(const std::vector<std::uint32_t>& previous,
                           const std::vector<Member>& old_members,
                           const std::vector<Member>& new_members);
// Partitions whose owner is another node after than before.
std::uint32_t moved_partitions(const std::vector<std::uint32_t>& previous,
                               const std::vector<Member>& old_members,
                               const std::vector<std::uint32_t>& owners,
                               const std::vector<Member>& new_members);
// How many of the windows of n consecutive partitions, wrap included, name a member twice.
std::uint32_t crowded_windows(const std::vector<std::uint32_t>& owners, std::uint32_t n);

}  // namespace ringwright
