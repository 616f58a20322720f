#include "replication/simulation/trace.h"

namespace ringwright {

std::string Trace::digest() const {
  std::string text(16, '0');
  std::uint64_t rest = hash_;
  for (auto digit = text.rbegin(); digit != text.rend(); ++digit, rest >>= 4)
    *digit = "0123456789abcdef"[rest & 15];
  return text;
}

}  // namespace ringwright
