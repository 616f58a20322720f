#pragma once

#include <cstddef>
#include <cstdint>

namespace ringwright {

// XXH3-64 with the vectors of 256 bits that most processors have: the same answers, from some 500
// bytes on in half the time.
constexpr std::size_t wide_hash_bytes_min = 240;  // up to here the algorithm uses no vectors
bool has_wide_hash();
// Only where `has_wide_hash`.
std::uint64_t wide_hash64(const void* bytes, std::size_t size, std::uint64_t seed);

}  // namespace ringwright
