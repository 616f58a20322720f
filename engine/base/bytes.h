#pragma once

#include <string>
#include <string_view>

namespace ringwright {

// Owned bytes, any value, zero bytes included.
using Bytes = std::string;
// Borrowed bytes: valid only as long as what they were taken from is neither changed nor destroyed.
// A call that takes a ByteView copies whatever outlives the call.
using ByteView = std::string_view;

// Bytes as a person can read them in an error message: printable ASCII in quotes, else 0x.. hex;
// cut to a few dozen characters.
std::string printable(ByteView bytes);

std::string to_hex(ByteView bytes);

}  // namespace ringwright
