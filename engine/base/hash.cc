#include "engine/base/hash.h"

#include "engine/base/hash_avx2.h"

// Compiled in: most of what is hashed is short, and a call into the library costs as much.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ringwright {
namespace {

const bool is_wide = has_wide_hash();

}  // namespace

std::uint64_t hash64(ByteView bytes) { return hash64(bytes, 0); }

std::uint64_t hash64(ByteView bytes, std::uint64_t seed) {
  if (bytes.size() > wide_hash_bytes_min && is_wide)
    return wide_hash64(bytes.data(), bytes.size(), seed);
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace ringwright
