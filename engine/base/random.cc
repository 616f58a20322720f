#include "engine/base/random.h"

#include <bit>

#include "engine/base/hash.h"

namespace ringwright {
namespace {

// SplitMix64 (Steele, Lea and Flood, 2014): spreads one word over the generator's state.
std::uint64_t split_mix(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

}  // namespace

SeededRandom::SeededRandom(std::uint64_t seed, std::string_view stream) {
  std::uint64_t mixer = hash64(stream, seed);
  for (std::uint64_t& word : state_) word = split_mix(mixer);
}

std::uint64_t SeededRandom::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

}  // namespace ringwright
