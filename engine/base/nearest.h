#pragma once

#include <span>
#include <string>
#include <string_view>

namespace ringwright {

// The known name with the least edit distance, for "did you mean"; empty when `known` is.
std::string nearest_name(std::string_view name, std::span<const std::string> known);

}  // namespace ringwright
