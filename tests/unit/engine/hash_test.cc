#include "engine/base/hash.h"

#include <gtest/gtest.h>

#include "engine/base/hash_avx2.h"
#include "engine/base/random.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ringwright {
namespace {

// Hashes are stored and sent: the library's own answer is the format, whatever computes it.
TEST(Hash, IsTheLibrarysAtEveryLength) {
  SeededRandom random(1, "hash");
  Bytes bytes(5000, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.next());
  for (std::size_t size = 0; size <= bytes.size(); size += size < 1100 ? 1 : 97)
    for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, random.next()}) {
      const ByteView part = ByteView(bytes).substr(size % 7, size);
      SCOPED_TRACE(size);
      ASSERT_EQ(hash64(part, seed), XXH3_64bits_withSeed(part.data(), part.size(), seed));
      ASSERT_EQ(hash64(part), XXH3_64bits(part.data(), part.size()));
      if (!has_wide_hash()) continue;
      ASSERT_EQ(wide_hash64(part.data(), part.size(), seed), hash64(part, seed));
    }
}

}  // namespace
}  // namespace ringwright
