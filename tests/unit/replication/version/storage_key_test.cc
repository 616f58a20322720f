#include "replication/version/storage_key.h"

#include <gtest/gtest.h>

#include "tests/unit/replication/version/random_record.h"

namespace ringwright {
namespace {

TEST(StorageKey, GoldenBytes) {
  EXPECT_EQ(to_hex(storage_key(RowKind::data, "abc")),
            "01"                // row kind
            "78af5f94892f3950"  // token, big-endian
            "616263");          // user key
  EXPECT_EQ(to_hex(storage_key(RowKind::fallback, "")), "032d06800538d394c2");
  EXPECT_EQ(to_hex(storage_key_start(RowKind::data)), "010000000000000000");
  EXPECT_EQ(to_hex(storage_key_start(RowKind::hint, 0x0102030405060708)), "040102030405060708");
}

TEST(StorageKey, RowKindsKeepTheirNumbers) {
  EXPECT_EQ(static_cast<int>(RowKind::system), 0);
  EXPECT_EQ(static_cast<int>(RowKind::data), 1);
  EXPECT_EQ(static_cast<int>(RowKind::digest), 2);
  EXPECT_EQ(static_cast<int>(RowKind::fallback), 3);
  EXPECT_EQ(static_cast<int>(RowKind::hint), 4);
}

TEST(StorageKey, GivesTheUserKeyBack) {
  const Bytes zero_bytes("\0a\0", 3);
  EXPECT_EQ(user_key(storage_key(RowKind::data, zero_bytes)), zero_bytes);
  EXPECT_EQ(user_key(storage_key(RowKind::data, "")), "");
  EXPECT_EQ(user_key(""), "");
  EXPECT_EQ(user_key("12345678"), "");
}

TEST(StorageKey, ByteOrderIsKindThenRingOrder) {
  for (const std::uint64_t seed : test::seeds(200)) {
    SCOPED_TRACE(test::seed_line(seed));
    SeededRandom random(seed, "storage_key");
    const Bytes a = test::any_bytes(random, 8);
    const Bytes b = test::any_bytes(random, 8);
    const Bytes stored_a = storage_key(RowKind::data, a);
    const Bytes stored_b = storage_key(RowKind::data, b);
    ASSERT_EQ(stored_a < stored_b, std::pair(token_of(a), a) < std::pair(token_of(b), b));
    ASSERT_LT(stored_a, storage_key(RowKind::fallback, b));
    ASSERT_LE(storage_key_start(RowKind::data, token_of(a)), stored_a);
    ASSERT_LT(stored_a, storage_key_start(RowKind::data, token_of(a) + 1));
  }
}

}  // namespace
}  // namespace ringwright
