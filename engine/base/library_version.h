#pragma once

#include <string_view>

namespace ringwright {

// Of this library, and so of all that links it: "0.1.0".
std::string_view library_version();

}  // namespace ringwright
