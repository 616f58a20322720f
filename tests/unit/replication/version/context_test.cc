#include "replication/version/context.h"

#include <gtest/gtest.h>

#include "engine/base/hash.h"
#include "replication/version/record.h"
#include "tests/unit/replication/version/random_record.h"

namespace ringwright {
namespace {

Context example() {
  Context context = empty_context("carts", "cart:17");
  context.vector.raise({{{0x0011223344556677, 0x8899aabbccddeeff}, 5, 6}, 300}, 0x0708);
  context.stamp = 0x0a0b;
  return context;
}

TEST(Context, GoldenBytes) {
  const Bytes bytes = encode(example());
  EXPECT_EQ(to_hex(bytes),
            "01"                // format
            "e2358a91"          // checksum of the rest
            "928a41684c48f290"  // XXH3 of the keyspace
            "ce0fc2d1ff0470bb"  // XXH3 of the key
            "0b0a000000000000"  // highest stamp
            "01"                // entries: actor, counter, stamp
            "00112233445566778899aabbccddeeff"
            "0500000000000000"
            "06"
            "ac02"
            "0807000000000000"
            "00");  // detached dots
  EXPECT_EQ(decode_context(bytes).value(), example());
}

TEST(Context, GoldenBytesWithDetachedDots) {
  Context context = example();
  const Actor known = context.vector.entries()[0].actor;
  context.vector.add_detached({{known.node, known.start, known.birth + 1}, 1}, 0x070a);
  context.vector.add_detached({known, 301}, 0x0709);
  const Bytes bytes = encode(context);
  EXPECT_EQ(to_hex(bytes),
            "01"
            "acf40614"
            "928a41684c48f290"
            "ce0fc2d1ff0470bb"
            "0b0a000000000000"
            "01"  // entries
            "00112233445566778899aabbccddeeff"
            "0500000000000000"
            "06"
            "ac02"
            "0807000000000000"
            "02"  // detached dots: actor, counter, stamp
            "00112233445566778899aabbccddeeff"
            "0500000000000000"
            "06"
            "ad02"
            "0907000000000000"
            "00112233445566778899aabbccddeeff"
            "0500000000000000"
            "07"
            "01"
            "0a07000000000000");
  EXPECT_EQ(decode_context(bytes).value(), context);
}

TEST(Context, GoldenBytesWithoutVector) {
  Context context = empty_context("carts", "cart:17");
  EXPECT_EQ(to_hex(encode(context)),
            "016632edee928a41684c48f290ce0fc2d1ff0470bb00000000000000000000");
  context.stamp = 9;
  EXPECT_EQ(decode_context(encode(context)).value(), context);
}

TEST(Context, OfAnotherKeyOrKeyspaceIsInvalid) {
  EXPECT_TRUE(check_context(example(), "carts", "cart:17").is_ok());
  EXPECT_EQ(check_context(example(), "carts", "cart:18").code(), Code::invalid);
  EXPECT_EQ(check_context(example(), "cart", "cart:17").code(), Code::invalid);
  EXPECT_EQ(check_context(example(), "cart:17", "carts").code(), Code::invalid);
  EXPECT_EQ(check_context(Context{}, "carts", "cart:17").code(), Code::invalid);
}

TEST(Context, EveryTruncationAndEveryChangedByteIsInvalid) {
  const Bytes bytes = encode(example());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    ASSERT_EQ(decode_context(ByteView(bytes).substr(0, size)).status().code(), Code::invalid);
  EXPECT_EQ(decode_context(bytes + Bytes(1, '\0')).status().code(), Code::invalid);
  for (std::size_t at = 0; at < bytes.size(); ++at)
    for (int change = 1; change < 256; ++change) {
      Bytes changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ change);
      ASSERT_EQ(decode_context(changed).status().code(), Code::invalid) << at << " ^ " << change;
    }
}

// Bytes of a context whose parts need not fit together.
Bytes forged(ByteView vector, Timestamp stamp, ByteView after = "") {
  Bytes body;
  put_u64(body, 1);
  put_u64(body, 2);
  put_u64(body, stamp);
  body.append(vector).append(after);
  Bytes out;
  put_u8(out, 1);
  put_u32(out, checksum32(body));
  return out + body;
}

TEST(Context, StampBelowOneOfItsVectorIsInvalid) {
  Bytes vector;
  example().vector.encode(vector);
  EXPECT_TRUE(decode_context(forged(vector, 0x0708)).has_value());
  EXPECT_EQ(decode_context(forged(vector, 0x0707)).status().code(), Code::invalid);

  VersionVector detached;
  detached.add_detached({{{0, 1}, 5, 6}, 4}, 0x0708);
  vector.clear();
  detached.encode(vector);
  EXPECT_TRUE(decode_context(forged(vector, 0x0708)).has_value());
  EXPECT_EQ(decode_context(forged(vector, 0x0707)).status().code(), Code::invalid);
}

TEST(Context, BytesAfterItsEndAreInvalid) {
  EXPECT_TRUE(decode_context(forged(Bytes(2, '\0'), 1)).has_value());
  EXPECT_EQ(decode_context(forged(Bytes(2, '\0'), 1, "x")).status().code(), Code::invalid);
}

TEST(Context, MergeCoversBothAndNothingElse) {
  Context other = empty_context("carts", "cart:17");
  other.vector.raise({{{0, 1}, 5, 6}, 4}, 3);
  other.stamp = 0xffff;
  Context both = example();
  both.merge(other);
  EXPECT_TRUE(both.descends(example()));
  EXPECT_TRUE(both.descends(other));
  EXPECT_FALSE(example().descends(other));
  EXPECT_FALSE(other.descends(example()));
  EXPECT_EQ(both.stamp, 0xffffu);
  EXPECT_EQ(both.vector.size(), 2u);
  EXPECT_EQ(both.key_hash, example().key_hash);
}

TEST(Context, DescendsAndMergeLookAtDetachedDots) {
  const Actor known = example().vector.entries()[0].actor;
  Context own_event = example();
  own_event.vector.add_detached({known, 305}, 0x0709);
  EXPECT_TRUE(own_event.descends(example()));
  EXPECT_FALSE(example().descends(own_event));
  Context other = example();
  other.vector.add_detached({known, 303}, 0x0709);
  EXPECT_FALSE(own_event.descends(other));
  own_event.merge(other);
  EXPECT_TRUE(own_event.descends(other));
  EXPECT_TRUE(own_event.vector.covers({known, 303}));
  EXPECT_FALSE(own_event.vector.covers({known, 304}));
}

TEST(Context, OfARecordCoversAllItHoldsAndSurvivesTheBytes) {
  for (const std::uint64_t seed : test::seeds(500)) {
    SCOPED_TRACE(test::seed_line(seed));
    SeededRandom random(seed, "context");
    const auto kind = random.chance(0.5) ? RecordKind::siblings : RecordKind::lww;
    const Record record = test::any_record(random, kind);
    const Context context = record.context("carts", "cart:17");
    ASSERT_EQ(context.vector, record.vector);
    ASSERT_GE(context.stamp, record.vector.latest_stamp());
    for (const Sibling& sibling : record.siblings) {
      ASSERT_GE(context.stamp, sibling.stamp);
      ASSERT_TRUE(kind == RecordKind::lww || context.vector.covers(sibling.dot));
    }
    ASSERT_TRUE(check_context(context, "carts", "cart:17").is_ok());
    ASSERT_EQ(decode_context(encode(context)).value(), context);
  }
}

}  // namespace
}  // namespace ringwright
