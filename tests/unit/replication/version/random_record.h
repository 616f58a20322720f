#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include "engine/base/random.h"
#include "replication/version/record.h"

namespace ringwright::test {

inline constexpr ByteView any_key = "cart:17";

// The seeds of one random search: `count` from RINGWRIGHT_TEST_SEED, or from 1, on. Each is put
// into a SCOPED_TRACE, so that a failure names it.
inline std::vector<std::uint64_t> seeds(std::uint64_t count) {
  const char* first = std::getenv("RINGWRIGHT_TEST_SEED");
  std::vector<std::uint64_t> all;
  for (std::uint64_t i = 0; i < count; ++i)
    all.push_back((first ? std::strtoull(first, nullptr, 10) : 1) + i);
  return all;
}
inline std::string seed_line(std::uint64_t seed) {
  return "RINGWRIGHT_TEST_SEED=" + std::to_string(seed);
}

inline Actor any_actor(Random& random, std::uint64_t actors = 4) {
  const std::uint64_t pick = random.below(actors);
  return {{pick % 2, 7}, 0xf00d + pick / 2 % 2, pick / 4};
}

inline Bytes any_bytes(Random& random, std::size_t size_max) {
  Bytes bytes(random.below(size_max + 1), '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.next());
  return bytes;
}

// Content from a small choice, so that two writes of one dot often differ in one field only.
inline Sibling any_content(Random& random) {
  Sibling sibling;
  sibling.stamp = 1 + random.below(3);
  sibling.tombstone = random.chance(0.25);
  if (random.chance(0.3)) sibling.request = {random.below(2), 1, random.below(2)};
  if (sibling.tombstone) return sibling;
  if (random.chance(0.3)) sibling.expires_us = 1 + random.below(2);
  sibling.value = random.chance(0.8) ? Bytes(1, static_cast<char>('a' + random.below(2)))
                                     : any_bytes(random, 300);
  return sibling;
}

// A few single dots, some of which an entry covers and absorbs.
inline void add_any_detached(Random& random, VersionVector& vector) {
  if (random.chance(0.5)) return;
  for (std::uint64_t i = random.below(4); i > 0; --i)
    vector.add_detached({any_actor(random), 1 + random.below(6)}, random.below(5));
}

// Well-formed, but of no history: any vector, any siblings that an entry of it covers. Two such
// records often hold the same dot with different contents.
inline Record any_record(Random& random, RecordKind kind) {
  Record record;
  record.kind = kind;
  if (random.chance(0.1)) return record;
  if (kind == RecordKind::lww) {
    record.siblings.push_back(any_content(random));
    record.siblings.back().dot = {any_actor(random), random.below(2)};
    return record;
  }
  for (std::uint64_t i = random.below(5); i > 0; --i)
    record.vector.raise({any_actor(random), 1 + random.below(4)}, random.below(5));
  add_any_detached(random, record.vector);
  for (const auto& entry : record.vector.entries())
    for (std::uint64_t counter = 1; counter <= entry.counter; ++counter)
      if (random.chance(0.4)) {
        record.siblings.push_back(any_content(random));
        record.siblings.back().dot = {entry.actor, counter};
      }
  return record;
}

// Any record of a fixed, small shape: one or two actors, dots 1 and 2, one-byte values, and dot 3
// detached.
inline Record small_record(Random& random) {
  Record record;
  for (std::uint64_t actor = 0; actor < 2; ++actor) {
    const std::uint64_t counter = random.below(3);
    const Actor who{{0, 1 + actor}, 9, 1};
    if (random.chance(0.2)) record.vector.add_detached({who, 3}, 5);
    if (counter == 0) continue;
    record.vector.raise({who, counter}, 5);
    for (std::uint64_t dot = 1; dot <= counter; ++dot)
      if (random.chance(0.5)) {
        record.siblings.emplace_back();
        record.siblings.back().dot = {who, dot};
        record.siblings.back().value = Bytes(1, static_cast<char>('a' + random.below(2)));
      }
  }
  return record;
}

}  // namespace ringwright::test
