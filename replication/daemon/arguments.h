#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/status.h"

namespace ringwright {

// The command line of ringwrightd.
struct Arguments {
  std::string config;             // a path; empty: no file
  std::vector<std::string> sets;  // "section.key=value", in their order
  bool check = false;
  bool help = false;
  bool version = false;
  std::optional<int> control_fd;
};

// `arguments` without the program's name. `invalid` says what is wrong.
Result<Arguments> parse_arguments(std::span<const std::string> arguments);
std::string_view usage_text();

}  // namespace ringwright
