#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "replication/ring/member.h"

namespace ringwright::testing {

inline Member member_numbered(std::uint32_t number, std::uint32_t weight = 1) {
  Member member;
  member.id = {7, number};
  member.name = "node" + std::to_string(number);
  member.weight = weight;
  return member;
}

// node1 to nodeN in one rack.
inline std::vector<Member> equal_members(std::uint32_t count) {
  std::vector<Member> members;
  for (std::uint32_t number = 1; number <= count; ++number)
    members.push_back(member_numbered(number));
  return members;
}

inline std::vector<Member> weighted_members(const std::vector<std::uint32_t>& weights) {
  std::vector<Member> members;
  for (const std::uint32_t weight : weights)
    members.push_back(member_numbered(static_cast<std::uint32_t>(members.size()) + 1, weight));
  return members;
}

// Dealt in turn to the data centres, and within each in turn to its racks.
inline std::vector<Member> racked_members(std::uint32_t count, std::uint32_t data_centres,
                                          std::uint32_t racks_each) {
  std::vector<Member> members = equal_members(count);
  for (std::uint32_t index = 0; index < count; ++index) {
    members[index].data_centre = "dc" + std::to_string(index % data_centres);
    members[index].rack = "rack" + std::to_string(index / data_centres % racks_each);
  }
  return members;
}

}  // namespace ringwright::testing
