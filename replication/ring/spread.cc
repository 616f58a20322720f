#include "replication/ring/spread.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

namespace ringwright {

Spread::Spread(const std::vector<Member>& members) {
  std::map<std::string_view, std::uint32_t> data_centres;
  std::map<std::pair<std::uint32_t, std::string_view>, std::uint32_t> racks;
  for (const Member& member : members) {
    const auto next_centre = static_cast<std::uint32_t>(data_centres.size());
    const auto centre = data_centres.emplace(member.data_centre, next_centre).first;
    const auto next_rack = static_cast<std::uint32_t>(racks.size());
    const std::pair rack_name(centre->second, std::string_view(member.rack));
    data_centre_of_.push_back(centre->second);
    rack_of_.push_back(racks.emplace(rack_name, next_rack).first->second);
  }
  data_centres_ = data_centres.size();
  racks_ = racks.size();
}

void Spread::arrange(std::span<std::uint32_t> order, std::size_t leading) const {
  if (flat()) return;
  std::vector<std::uint32_t> in_centre(data_centres_);
  std::vector<std::uint32_t> in_rack(racks_);
  const auto entries_so_far = [&](std::uint32_t member) {
    return std::tuple(in_centre[data_centre_of_[member]], in_rack[rack_of_[member]]);
  };
  const auto size = static_cast<std::ptrdiff_t>(std::min(leading, order.size()));
  for (auto next = order.begin(); next != order.begin() + size; ++next) {
    const auto chosen = std::min_element(next, order.end(), [&](auto left, auto right) {
      return entries_so_far(left) < entries_so_far(right);
    });
    std::rotate(next, chosen, chosen + 1);
    ++in_centre[data_centre_of_[*next]];
    ++in_rack[rack_of_[*next]];
  }
}

}  // namespace ringwright
