#include "engine/base/hash.h"

// Compiled in: most of what is hashed is short, and a call into the library costs as much.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ringwright {

std::uint64_t hash64(ByteView bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::uint64_t hash64(ByteView bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace ringwright
