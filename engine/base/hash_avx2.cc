// Compiled for processors with AVX2 (CMakeLists.txt), so nothing may be included here of which
// another file could get this one's copy.
#include "engine/base/hash_avx2.h"

#if defined(__AVX2__)
#define XXH_INLINE_ALL
#include <immintrin.h>
#include <xxhash.h>
#endif

namespace ringwright {

#if defined(__AVX2__)
bool has_wide_hash() { return __builtin_cpu_supports("avx2") != 0; }

std::uint64_t wide_hash64(const void* bytes, std::size_t size, std::uint64_t seed) {
  const std::uint64_t hash = XXH3_64bits_withSeed(bytes, size, seed);
  // While the upper halves of vector registers hold something, the processor pays some hundred
  // cycles wherever older and newer vector instructions take turns, which is everywhere between
  // this program and its C library. The compiler clears them itself, but not where a pragma sets
  // the optimisation, as the library's header does.
  _mm256_zeroupper();
  return hash;
}
#else
bool has_wide_hash() { return false; }
std::uint64_t wide_hash64(const void*, std::size_t, std::uint64_t) { return 0; }
#endif

}  // namespace ringwright
