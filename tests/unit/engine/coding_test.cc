#include "engine/base/coding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

namespace ringwright {
namespace {

Bytes varint(std::uint64_t value) {
  Bytes out;
  put_varint(out, value);
  return out;
}

TEST(Coding, varint_has_these_bytes_and_comes_back) {
  EXPECT_EQ(to_hex(varint(0)), "00");
  EXPECT_EQ(to_hex(varint(127)), "7f");
  EXPECT_EQ(to_hex(varint(128)), "8001");
  EXPECT_EQ(to_hex(varint(300)), "ac02");
  EXPECT_EQ(to_hex(varint(std::numeric_limits<std::uint64_t>::max())), "ffffffffffffffffff01");
  for (int bits = 0; bits < 64; ++bits) {
    for (const std::uint64_t value : {std::uint64_t{1} << bits, (std::uint64_t{1} << bits) - 1}) {
      const Bytes encoded = varint(value);
      Decoder decoder(encoded);
      EXPECT_EQ(decoder.varint(), value);
      EXPECT_TRUE(decoder.complete());
    }
  }
}

// Where more follows, it is read in another way.
TEST(Coding, varint_before_other_bytes_comes_back_and_takes_only_its_own) {
  for (const char follows : {'\x00', '\x7f', '\xff'}) {
    for (int bits = 0; bits < 64; ++bits) {
      for (const std::uint64_t value : {std::uint64_t{1} << bits, (std::uint64_t{1} << bits) - 1}) {
        const Bytes encoded = varint(value) + Bytes(16, follows);
        Decoder decoder(encoded);
        EXPECT_EQ(decoder.varint(), value);
        EXPECT_EQ(decoder.left(), 16u);
        EXPECT_FALSE(decoder.failed());
      }
    }
    for (std::size_t size = 2; size <= 10; ++size) {
      const Bytes encoded = Bytes(size - 1, '\x81') + Bytes(1, '\0') + Bytes(16, follows);
      Decoder decoder(encoded);
      EXPECT_EQ(decoder.varint(), 0u) << size;
      EXPECT_TRUE(decoder.failed()) << "not the shortest form, of size " << size;
    }
    const Bytes without_end = Bytes(10, '\xff') + Bytes(16, follows);
    Decoder endless(without_end);
    EXPECT_EQ(endless.varint(), 0u);
    EXPECT_TRUE(endless.failed());
  }
}

TEST(Coding, raw_varints_order_as_their_values_do) {
  std::vector<std::uint64_t> values = {0, 1};
  for (int bit = 1; bit < 56; ++bit)
    for (const std::uint64_t around : {-1, 0, 1, 77})
      values.push_back((std::uint64_t{1} << bit) + around);
  std::sort(values.begin(), values.end());
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] >> 56 != 0) break;
    Bytes out;
    put_varint(out, values[i]);
    out.append(varint_ahead_bytes, '\xff');
    const char* at = out.data();
    std::uint64_t raw = 0;
    ASSERT_TRUE(load_raw_varint(at, raw)) << values[i];
    EXPECT_EQ(varint_value(raw), values[i]);
    EXPECT_TRUE(i == 0 || (last < raw) == (values[i - 1] < values[i])) << values[i];
    last = raw;
  }
}

TEST(Coding, room_holds_what_is_written_and_no_more) {
  Bytes appended = "before";
  Bytes in_room = appended;
  const auto write = [](auto& out) {
    put_u8(out, 7);
    put_u32(out, 1);
    put_u64(out, 2);
    put_u64_big_endian(out, 3);
    put_varint(out, 300);
    put_bytes(out, "value");
    put_bytes(out, "");
  };
  write(appended);
  Room room(in_room, 100);
  write(room);
  room.finish();
  EXPECT_EQ(in_room, appended);
  set_u32(in_room, 7, 0x01020304);
  EXPECT_EQ(to_hex(in_room.substr(6, 5)), "0704030201");
}

TEST(CodingDeathTest, room_that_is_too_small_is_never_overrun) {
  Bytes out;
  Room room(out, 3);
  EXPECT_DEATH(put_u32(room, 1), "size <=");
  put_u8(room, 1);
  put_u8(room, 2);
  put_u8(room, 3);
  EXPECT_DEATH(put_u8(room, 4), "at_ != end_");
  EXPECT_DEATH(set_u32(out, 1, 0), "out.size");
}

TEST(Coding, varint_in_another_form_is_refused) {
  const std::vector<Bytes> refused = {
      Bytes("\x80\x00", 2),                                   // zero in two bytes
      Bytes("\xff\x00", 2),                                   // 127 in two bytes
      Bytes("\x80", 1),                                       // cut
      Bytes("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10),  // 65 bits
      Bytes("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 11),
      Bytes(11, '\x80'),
      ""};
  for (const Bytes& encoded : refused) {
    Decoder decoder(encoded);
    EXPECT_EQ(decoder.varint(), 0u) << to_hex(encoded);
    EXPECT_TRUE(decoder.failed()) << to_hex(encoded);
    EXPECT_EQ(decoder.u8(), 0) << "a failed decoder reads nothing more";
    EXPECT_EQ(decoder.left(), 0u);
  }
}

TEST(Coding, integers_are_little_endian_but_for_the_token) {
  Bytes out;
  put_u8(out, 0xab);
  put_u32(out, 0x01020304);
  put_u64(out, 0x0102030405060708);
  put_u64_big_endian(out, 0x0102030405060708);
  EXPECT_EQ(to_hex(out), "ab0403020108070605040302010102030405060708");
  Decoder decoder(out);
  EXPECT_EQ(decoder.u8(), 0xab);
  EXPECT_EQ(decoder.u32(), 0x01020304u);
  EXPECT_EQ(decoder.u64(), 0x0102030405060708u);
  EXPECT_EQ(decoder.u64_big_endian(), 0x0102030405060708u);
  EXPECT_TRUE(decoder.complete());
}

TEST(Coding, every_cut_of_an_input_is_noticed) {
  Bytes out;
  put_u32(out, 7);
  put_bytes(out, Bytes("a\0b", 3));
  put_varint(out, 1000);
  for (std::size_t size = 0; size <= out.size(); ++size) {
    Decoder decoder(ByteView(out).substr(0, size));
    decoder.u32();
    decoder.bytes();
    decoder.varint();
    EXPECT_EQ(decoder.complete(), size == out.size()) << size;
  }
  Decoder longer(out);
  longer.u32();
  EXPECT_EQ(longer.bytes(), ByteView("a\0b", 3));
  EXPECT_FALSE(longer.complete()) << "something is left";
}

TEST(Coding, lengths_beyond_the_input_are_refused) {
  for (const std::uint64_t length :
       {std::uint64_t{4}, std::uint64_t{1} << 32, std::numeric_limits<std::uint64_t>::max()}) {
    const Bytes encoded = varint(length) + "abc";
    Decoder bytes(encoded);
    EXPECT_TRUE(bytes.bytes().empty());
    EXPECT_TRUE(bytes.failed());
    Decoder count(encoded);
    EXPECT_EQ(count.count(1), 0u);
    EXPECT_TRUE(count.failed());
  }
  const Bytes three = varint(3) + "abcdef";
  EXPECT_EQ(Decoder(three).count(2), 3u);
  EXPECT_EQ(Decoder(three).count(3), 0u);
}

}  // namespace
}  // namespace ringwright
