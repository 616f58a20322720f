#include "engine/base/bytes.h"

#include <algorithm>

namespace ringwright {
namespace {

constexpr std::size_t printable_bytes_max = 48;

}  // namespace

std::string to_hex(ByteView bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    text.push_back(digits[value >> 4]);
    text.push_back(digits[value & 15]);
  }
  return text;
}

std::string printable(ByteView bytes) {
  const ByteView shown = bytes.substr(0, printable_bytes_max);
  const bool plain =
      std::all_of(shown.begin(), shown.end(), [](char byte) { return byte >= ' ' && byte <= '~'; });
  std::string text = plain ? "'" + std::string(shown) + "'" : "0x" + to_hex(shown);
  if (shown.size() < bytes.size()) text += "... (" + std::to_string(bytes.size()) + " bytes)";
  return text;
}

}  // namespace ringwright
