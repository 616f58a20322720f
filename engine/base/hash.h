#pragma once

#include <cstdint>

#include "engine/base/bytes.h"

namespace ringwright {

// XXH3-64 with seed 0: tokens, digests. Part of the format: never changes.
std::uint64_t hash64(ByteView bytes);
std::uint64_t hash64(ByteView bytes, std::uint64_t seed);

// The low 32 bits of XXH3-64: guards stored and sent bytes against accidents, not against malice.
inline std::uint32_t checksum32(ByteView bytes) {
  return static_cast<std::uint32_t>(hash64(bytes));
}
// Checksum of `bytes` where they belong to `key`: the same bytes under another key do not match.
inline std::uint32_t checksum32(ByteView key, ByteView bytes) {
  return static_cast<std::uint32_t>(hash64(bytes, hash64(key)));
}

}  // namespace ringwright
