#include <gtest/gtest.h>

#include "engine/base/hash.h"
#include "replication/version/row.h"
#include "replication/version/storage_key.h"
#include "tests/unit/replication/version/random_record.h"

namespace ringwright {
namespace {

using test::any_key;

constexpr std::uint64_t rounds = 100'000;

Bytes changed(Random& random, Bytes bytes) {
  for (std::uint64_t i = 1 + random.below(3); i > 0 && !bytes.empty(); --i) {
    const std::size_t at = random.below(bytes.size());
    switch (random.below(5)) {
      case 0:
        bytes[at] = static_cast<char>(random.next());
        break;
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
        break;
      case 2:
        bytes.resize(at);
        break;
      case 3:
        bytes.insert(at, 1, "\0\1\x7f\x80\xff"[random.below(5)]);
        break;
      case 4:
        bytes.erase(at, 1 + random.below(3));
        break;
    }
  }
  return bytes;
}

// With the checksums made right again, so that the change reaches what stands behind them.
void seal(Bytes& bytes, std::size_t at, std::uint32_t checksum) {
  Bytes sealed;
  put_u32(sealed, checksum);
  if (bytes.size() >= at + sealed.size()) bytes.replace(at, sealed.size(), sealed);
}

Bytes from_small_alphabet(Random& random) {
  Bytes bytes = test::any_bytes(random, 60);
  for (char& byte : bytes)
    if (random.chance(0.7)) byte = static_cast<char>(random.below(3));
  return bytes;
}

// A decoder refuses, or has read the one encoding of what it returns.
TEST(DecoderFuzz, RecordsHaveOneEncoding) {
  SeededRandom random(test::seeds(1)[0], "fuzz records");
  std::size_t accepted = 0;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const auto kind = random.chance(0.7) ? RecordKind::siblings : RecordKind::lww;
    const Record record = random.chance(0.5) ? test::any_record(random, kind) : Record{};
    Bytes bytes = record.empty() ? from_small_alphabet(random)
                                 : changed(random, encode_record(record, any_key));
    if (random.chance(0.9) && bytes.size() > 5) {
      bytes[0] = 1;
      seal(bytes, 1, checksum32(any_key, ByteView(bytes).substr(5)));
    }
    const auto decoded = decode_record(bytes, any_key, kind);
    if (!decoded) continue;
    ++accepted;
    ASSERT_EQ(to_hex(encode_record(*decoded, any_key)), to_hex(bytes)) << "round " << round;
  }
  EXPECT_GT(accepted, rounds / 50);
}

TEST(DecoderFuzz, RowsHaveOneEncodingOrAreKeptAsDamaged) {
  SeededRandom random(test::seeds(1)[0], "fuzz rows");
  const RowPolicy policy(RecordKind::siblings);
  const Bytes stored_key = storage_key(RowKind::data, any_key);
  std::size_t accepted = 0;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    Row row;
    row.record = test::small_record(random);
    const std::uint64_t shape = random.below(3);
    if (shape == 1) row.mark = test::any_actor(random);
    if (shape == 2) row.damaged = {"", "a", "b" + test::any_bytes(random, 3)};
    const Bytes whole = encode_row(row, any_key);
    const std::size_t header = whole.size() - encode_record(row.record, any_key).size();
    Bytes bytes = changed(random, whole.substr(0, header)) + whole.substr(header);
    if (random.chance(0.2)) bytes = changed(random, whole);
    if (shape != 0 && random.chance(0.8))
      seal(bytes, header - 4, checksum32(ByteView(bytes).substr(0, header - 4)));
    const Row decoded = decode_row(bytes, any_key, RecordKind::siblings);
    ASSERT_FALSE(decoded.mark && decoded.is_damaged());
    const Bytes again = encode_row(decoded, any_key);
    if (decoded.damaged != std::vector<Bytes>{bytes}) {
      ++accepted;
      ASSERT_EQ(to_hex(again), to_hex(bytes)) << "round " << round;
      ASSERT_EQ(canonical_of(bytes).has_value(), !decoded.is_damaged());
    }
    ASSERT_EQ(to_hex(policy.merge(stored_key, again, {})), to_hex(again)) << "round " << round;
    canonical_of(bytes);
  }
  EXPECT_GT(accepted, rounds / 50);
}

TEST(DecoderFuzz, ContextsHaveOneEncoding) {
  SeededRandom random(test::seeds(1)[0], "fuzz contexts");
  std::size_t accepted = 0;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const Record record = test::any_record(random, RecordKind::siblings);
    Bytes bytes = changed(random, encode(record.context("carts", any_key)));
    if (random.chance(0.9) && bytes.size() > 5) {
      bytes[0] = 1;
      seal(bytes, 1, checksum32(ByteView(bytes).substr(5)));
    }
    const auto decoded = decode_context(bytes);
    if (!decoded) continue;
    ++accepted;
    ASSERT_EQ(to_hex(encode(*decoded)), to_hex(bytes)) << "round " << round;
  }
  EXPECT_GT(accepted, rounds / 50);
}

}  // namespace
}  // namespace ringwright
