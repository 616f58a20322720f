#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/status.h"

namespace ringwright {

// What is wrong with one directed link between two members, on purpose.
struct LinkFault {
  std::string from;
  std::string to;
  bool cut = false;
  std::uint32_t delay_ms = 0;
  friend bool operator==(const LinkFault&, const LinkFault&) = default;
};

constexpr std::uint32_t fault_delay_ms_max = 60'000;

// {"links":[{"from":"node1","to":"node2","cut":true,"delay_ms":0}]}; `cut` and `delay_ms` may be
// left out. `invalid` names what is wrong, an unknown key included.
Result<std::vector<LinkFault>> parse_link_faults(std::string_view json);
std::string link_faults_json(const std::vector<LinkFault>& faults);

}  // namespace ringwright
