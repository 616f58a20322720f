#include "replication/version/actor.h"

namespace ringwright {
namespace {

std::string hex(std::uint64_t value, int digits) {
  constexpr char alphabet[] = "0123456789abcdef";
  std::string text(static_cast<std::size_t>(digits), '0');
  for (int i = digits - 1; i >= 0; --i, value >>= 4)
    text[static_cast<std::size_t>(i)] = alphabet[value & 15];
  return text;
}

}  // namespace

std::string to_string(const NodeId& id) {
  return hex(id.high >> 32, 8) + "-" + hex(id.high >> 16 & 0xffff, 4) + "-" +
         hex(id.high & 0xffff, 4) + "-" + hex(id.low >> 48, 4) + "-" + hex(id.low, 12);
}

std::string to_string(const Actor& actor) {
  return to_string(actor.node) + "/" + hex(actor.start, 16) + "/" + std::to_string(actor.birth);
}

std::string to_string(const Dot& dot) {
  return to_string(dot.actor) + ":" + std::to_string(dot.counter);
}

}  // namespace ringwright
