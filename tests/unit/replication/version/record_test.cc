#include "replication/version/record.h"

#include <gtest/gtest.h>

#include "engine/base/hash.h"
#include "tests/unit/replication/version/random_record.h"

namespace ringwright {
namespace {

using test::any_key;

const Actor first{{0x0011223344556677, 0x8899aabbccddeeff}, 0x0102, 1};
const Actor second{{0x0011223344556677, 0x8899aabbccddeeff}, 0x0102, 300};

Sibling sibling(Dot dot, Bytes value) {
  Sibling made;
  made.dot = dot;
  made.stamp = 0x0a0b;
  made.value = std::move(value);
  return made;
}

// Every flag: plain, expiry and request id, tombstone.
Record example() {
  Record record;
  record.vector.raise({first, 3}, 0x10);
  record.vector.raise({second, 0x80}, 0x20);
  record.siblings.push_back(sibling({first, 2}, "v"));
  record.siblings.push_back(sibling({first, 3}, ""));
  record.siblings[1].expires_us = 0x0c0d;
  record.siblings[1].request = {1, 2, 0x81};
  record.siblings.push_back(sibling({second, 0x7f}, ""));
  record.siblings[2].tombstone = true;
  return record;
}

Record lww_example() {
  Record record;
  record.kind = RecordKind::lww;
  record.siblings.push_back(sibling({second, 0}, "value"));
  record.siblings[0].expires_us = 0x0c0d;
  return record;
}

TEST(Record, GoldenBytesOfSiblings) {
  const Bytes bytes = encode_record(example(), "cart:17");
  EXPECT_EQ(to_hex(bytes),
            "01"        // format
            "4fa63cc9"  // checksum over key and the rest
            "01"        // kind
            "02"        // vector: actor, counter, stamp
            "00112233445566778899aabbccddeeff"
            "0201000000000000"
            "01"
            "03"
            "1000000000000000"
            "00112233445566778899aabbccddeeff"
            "0201000000000000"
            "ac02"
            "8001"
            "2000000000000000"
            "00"  // detached dots
            "03"  // siblings
            "00"
            "02"  // index of the actor's entry, counter
            "00"
            "0b0a000000000000"
            "01"
            "76"  // flags, stamp, value
            "00"
            "03"
            "06"
            "0b0a000000000000"
            "0d0c000000000000"  // expiry
            "0100000000000000"
            "0200000000000000"
            "8101"  // request id
            "00"
            "01"
            "7f"
            "01"
            "0b0a000000000000"
            "00");
  EXPECT_EQ(decode_record(bytes, "cart:17", RecordKind::siblings).value(), example());
}

// Siblings point at entries only: a live one is never known by a detached dot alone.
TEST(Record, GoldenBytesOfSiblingsWithADetachedDot) {
  Record record = example();
  record.vector.add_detached({first, 5}, 0x30);
  const Bytes bytes = encode_record(record, "cart:17");
  EXPECT_EQ(to_hex(bytes),
            "01"
            "79ba3dfd"
            "01"
            "02"
            "00112233445566778899aabbccddeeff"
            "0201000000000000"
            "01"
            "03"
            "1000000000000000"
            "00112233445566778899aabbccddeeff"
            "0201000000000000"
            "ac02"
            "8001"
            "2000000000000000"
            "01"
            "00112233445566778899aabbccddeeff"
            "0201000000000000"
            "01"
            "05"
            "3000000000000000"
            "03"
            "00"
            "02"
            "00"
            "0b0a000000000000"
            "01"
            "76"
            "00"
            "03"
            "06"
            "0b0a000000000000"
            "0d0c000000000000"
            "0100000000000000"
            "0200000000000000"
            "8101"
            "00"
            "01"
            "7f"
            "01"
            "0b0a000000000000"
            "00");
  EXPECT_EQ(decode_record(bytes, "cart:17", RecordKind::siblings).value(), record);
}

TEST(Record, GoldenBytesOfLww) {
  const Bytes bytes = encode_record(lww_example(), "cart:17");
  EXPECT_EQ(to_hex(bytes),
            "01"
            "db49baa7"
            "02"
            "00112233445566778899aabbccddeeff"
            "0201000000000000"
            "ac02"  // actor
            "00"    // counter
            "02"
            "0b0a000000000000"
            "0d0c000000000000"
            "05"
            "76616c7565");
  EXPECT_EQ(decode_record(bytes, "cart:17", RecordKind::lww).value(), lww_example());
}

TEST(Record, GoldenBytesOfNothing) {
  Record record;
  EXPECT_EQ(to_hex(encode_record(record, "cart:17")), "01dd2fd3f101000000");
  EXPECT_EQ(decode_record(encode_record(record, "k"), "k", RecordKind::siblings).value(), record);
  record.kind = RecordKind::lww;
  EXPECT_EQ(to_hex(encode_record(record, "cart:17")), "01c90fc1bf02");
  EXPECT_EQ(decode_record(encode_record(record, "k"), "k", RecordKind::lww).value(), record);
}

TEST(Record, ComesBackFromItsBytes) {
  for (const std::uint64_t seed : test::seeds(2000)) {
    SCOPED_TRACE(test::seed_line(seed));
    SeededRandom random(seed, "record");
    const auto kind = random.chance(0.5) ? RecordKind::siblings : RecordKind::lww;
    const Record record = test::any_record(random, kind);
    const Bytes bytes = encode_record(record, any_key);
    ASSERT_TRUE(verify_record(bytes, any_key).is_ok());
    ASSERT_EQ(decode_record(bytes, any_key, kind).value(), record);
    const Record other = test::any_record(random, kind);
    ASSERT_EQ(encode_record(other, any_key) == bytes, other == record);
  }
}

TEST(Record, EveryTruncationAndEveryChangedByteIsCorrupt) {
  for (const Record& record : {example(), lww_example()}) {
    const Bytes bytes = encode_record(record, any_key);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const ByteView cut = ByteView(bytes).substr(0, size);
      ASSERT_EQ(verify_record(cut, any_key).code(), Code::corrupt) << size;
      ASSERT_EQ(decode_record(cut, any_key, record.kind).status().code(), Code::corrupt) << size;
    }
    for (std::size_t at = 0; at < bytes.size(); ++at)
      for (int change = 1; change < 256; ++change) {
        Bytes changed = bytes;
        changed[at] = static_cast<char>(changed[at] ^ change);
        ASSERT_EQ(verify_record(changed, any_key).code(), Code::corrupt) << at << " ^ " << change;
        ASSERT_FALSE(decode_record(changed, any_key, record.kind)) << at << " ^ " << change;
      }
  }
}

TEST(Record, OfAnotherKeyOrKindIsCorrupt) {
  const Bytes bytes = encode_record(example(), "cart:17");
  EXPECT_EQ(verify_record(bytes, "cart:18").code(), Code::corrupt);
  EXPECT_EQ(verify_record(bytes, "").code(), Code::corrupt);
  EXPECT_EQ(decode_record(bytes, "cart:18", RecordKind::siblings).status().code(), Code::corrupt);
  EXPECT_EQ(decode_record(bytes, "cart:17", RecordKind::lww).status().code(), Code::corrupt);
}

TEST(Record, TombstoneHasNeitherValueNorExpiry) {
  Record plain = example();
  Record odd = plain;
  odd.siblings[2].value = "v";
  odd.siblings[2].expires_us = 5;
  EXPECT_EQ(to_hex(encode_record(odd, any_key)), to_hex(encode_record(plain, any_key)));
}

// Bytes with a right checksum around a body of the kind `siblings`.
Bytes forged(ByteView body, std::uint8_t kind = 1, std::uint8_t format = 1) {
  Bytes checked;
  put_u8(checked, kind);
  checked.append(body);
  Bytes out;
  put_u8(out, format);
  put_u32(out, checksum32(any_key, checked));
  return out + checked;
}
bool decodes(ByteView bytes, RecordKind kind = RecordKind::siblings) {
  return decode_record(bytes, any_key, kind).has_value();
}

Bytes vector_of(std::uint64_t counter) {
  VersionVector vector;
  vector.raise({first, counter}, 1);
  Bytes out;
  vector.encode(out);
  return out;
}
Bytes item(std::uint64_t index, std::uint64_t counter, std::uint8_t flags, ByteView after) {
  Bytes out;
  put_varint(out, index);
  put_varint(out, counter);
  put_u8(out, flags);
  put_u64(out, 1);
  return out.append(after);
}
Bytes count(std::uint64_t items) {
  Bytes out;
  put_varint(out, items);
  return out;
}

TEST(Record, OnlyTheCanonicalFormIsAccepted) {
  const Bytes vector = vector_of(3);
  const Bytes no_value(1, '\0');
  const Bytes low = item(0, 1, 0, no_value);
  const Bytes high = item(0, 3, 0, no_value);
  ASSERT_TRUE(decodes(forged(vector + count(2) + low + high)));
  EXPECT_FALSE(decodes(forged(vector + count(2) + high + low))) << "out of order";
  EXPECT_FALSE(decodes(forged(vector + count(2) + low + low))) << "one dot twice";
  EXPECT_FALSE(decodes(forged(vector + count(0) + "x"))) << "bytes after the end";
  EXPECT_FALSE(decodes(forged(vector + Bytes("\x80\0", 2)))) << "a long varint";
  EXPECT_FALSE(decodes(forged(vector))) << "no siblings";
  EXPECT_FALSE(decodes(forged(vector + count(0), 1, 2))) << "a newer format";
  EXPECT_FALSE(decodes(forged(vector + count(0), 3))) << "an unknown kind";
  const std::pair<Bytes, const char*> malformed[] = {
      {item(0, 4, 0, no_value), "not covered"},
      {item(0, 0, 0, no_value), "no counter"},
      {item(1, 1, 0, no_value), "no such actor"},
      {item(0, 1, 8, no_value), "unknown flag"},
      {item(0, 1, 2, Bytes(9, '\0')), "expiry 0"},
      {item(0, 1, 4, Bytes(18, '\0')), "empty request id"},
      {item(0, 1, 1, "\x01x"), "tombstone's value"},
      {item(0, 1, 3, "12345678" + no_value), "tombstone's expiry"},
  };
  for (const auto& [bytes, why] : malformed)
    EXPECT_FALSE(decodes(forged(vector + count(1) + bytes))) << why;
}

TEST(Record, SiblingThatOnlyADetachedDotCoversIsCorrupt) {
  VersionVector vector;
  vector.raise({first, 3}, 1);
  vector.add_detached({first, 5}, 1);
  Bytes bytes;
  vector.encode(bytes);
  const Bytes no_value(1, '\0');
  EXPECT_TRUE(decodes(forged(bytes + count(1) + item(0, 3, 0, no_value))));
  EXPECT_FALSE(decodes(forged(bytes + count(1) + item(0, 5, 0, no_value))));
  EXPECT_FALSE(decodes(forged(bytes + count(1) + item(1, 5, 0, no_value))));
}

TEST(Record, HeadWithoutAKindIsCutShort) {
  Bytes out;
  put_u8(out, 1);
  put_u32(out, checksum32(any_key, ""));
  EXPECT_EQ(verify_record(out, any_key).code(), Code::corrupt);
  EXPECT_FALSE(decodes(out));
}

TEST(Record, LwwIsOneSiblingOrNone) {
  Bytes one;
  put_actor(one, first);
  put_varint(one, 0);
  put_u8(one, 0);
  put_u64(one, 1);
  put_bytes(one, "v");
  EXPECT_TRUE(decodes(forged(one, 2), RecordKind::lww));
  EXPECT_TRUE(decodes(forged("", 2), RecordKind::lww));
  EXPECT_FALSE(decodes(forged(one + one, 2), RecordKind::lww));
}

TEST(Record, ClaimedLengthsDoNotAllocate) {
  EXPECT_FALSE(decodes(forged(count(UINT64_MAX))));
  EXPECT_FALSE(decodes(forged(count(0) + count(UINT64_MAX))));
  EXPECT_FALSE(decodes(forged(vector_of(3) + count(std::uint64_t{1} << 40))));
  Bytes length;
  put_varint(length, UINT64_MAX);
  EXPECT_FALSE(decodes(forged(vector_of(3) + count(1) + item(0, 1, 0, length))));
}

TEST(Record, FindsASiblingByItsDot) {
  const Record record = example();
  ASSERT_NE(record.find({first, 3}), nullptr);
  EXPECT_EQ(record.find({first, 3})->expires_us, 0x0c0du);
  EXPECT_EQ(record.find({first, 1}), nullptr);
  EXPECT_EQ(record.find({second, 0x80}), nullptr);
}

TEST(Sibling, IsATombstoneFromItsExpiryOn) {
  Sibling made = sibling({first, 1}, "v");
  EXPECT_TRUE(made.is_live(UINT64_MAX));
  made.expires_us = 100;
  EXPECT_TRUE(made.is_live(99));
  EXPECT_FALSE(made.is_live(100));
  made.expires_us = 0;
  made.tombstone = true;
  EXPECT_FALSE(made.is_live(0));
}

TEST(RecordDeathTest, IllFormedRecordIsNeverWritten) {
  Record twice = example();
  twice.siblings[1].dot = twice.siblings[0].dot;
  EXPECT_DEATH(encode_record(twice, any_key), "last");
  Record uncovered = example();
  uncovered.siblings[0].dot.counter = 4;
  uncovered.siblings.resize(1);
  EXPECT_DEATH(encode_record(uncovered, any_key), "counter");
  Record unknown = example();
  unknown.siblings.back().dot.actor.birth = 301;
  EXPECT_DEATH(encode_record(unknown, any_key), "entries");
  Record detached = example();
  detached.siblings.resize(1);
  detached.siblings[0].dot.counter = 5;
  detached.vector.add_detached(detached.siblings[0].dot, 1);
  EXPECT_DEATH(encode_record(detached, any_key), "counter");
}

}  // namespace
}  // namespace ringwright
