#include "engine/base/hash.h"

#include <gtest/gtest.h>

#include <optional>

#include "engine/base/hash_avx2.h"
#include "engine/base/random.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace ringwright {
namespace {

// Whether the upper halves of vector registers hold something after `call`; nothing where the
// processor does not tell.
template <typename Call>
std::optional<bool> leaves_wide_registers(const Call& call) {
#if defined(__x86_64__)
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (!has_wide_hash() || __get_cpuid_count(0xd, 1, &a, &b, &c, &d) == 0 || (a & 4U) == 0)
    return {};
  __asm__ volatile("vzeroupper" ::: "memory");
  call();
  __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(1));
  return (a & 4U) != 0;
#else
  return {};
#endif
}

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

// Else every change between older and newer vector instructions costs some hundred cycles.
TEST(Hash, LeavesNoWideRegisterInUse) {
#if defined(__x86_64__)
  const auto wide = leaves_wide_registers([] {
    __asm__ volatile("vpcmpeqd %%ymm0, %%ymm0, %%ymm0" ::: "xmm0");
  });
  if (wide != true) GTEST_SKIP() << "this processor does not tell which registers are in use";
#endif
  const Bytes bytes(5000, 'x');
  volatile std::uint64_t hash = 0;
  for (const std::size_t size : {16, 100, 200, 240, 241, 512, 1024, 1025, 5000}) {
    const ByteView part = ByteView(bytes).substr(0, size);
    EXPECT_NE(leaves_wide_registers([&] { hash = hash64(part); }), true) << size;
    EXPECT_NE(leaves_wide_registers([&] { hash = hash64(part, 1); }), true) << size;
  }
}

}  // namespace
}  // namespace ringwright
