#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "replication/ring/member.h"

namespace ringwright {

// Where the members stand, and how to line them up so that any leading few are spread over data
// centres and racks. A value; any thread may read it.
class Spread {
 public:
  explicit Spread(const std::vector<Member>& members);

  // All members share one rack: there is nothing to spread over.
  bool flat() const { return racks_ == 1; }
  bool same_rack(std::uint32_t left, std::uint32_t right) const {
    return rack_of_[left] == rack_of_[right];
  }
  bool same_data_centre(std::uint32_t left, std::uint32_t right) const {
    return data_centre_of_[left] == data_centre_of_[right];
  }

  // Chooses the first `leading` entries of `order` one by one: from the data centres with the
  // fewest entries so far, there from the racks with the fewest, there the first in `order`. So the
  // first entry stays, and the entries that are not chosen keep their order. `order` holds each
  // member at most once.
  void arrange(std::span<std::uint32_t> order, std::size_t leading) const;

 private:
  std::vector<std::uint32_t> data_centre_of_;  // by member: dense numbers
  std::vector<std::uint32_t> rack_of_;
  std::size_t data_centres_ = 0;
  std::size_t racks_ = 0;
};

}  // namespace ringwright
