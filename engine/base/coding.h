#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "engine/base/bytes.h"
#include "engine/base/check.h"

namespace ringwright {

// Integers on disk and on the wire are little-endian, except the token in a storage key, which is
// big-endian so that byte order is ring order. A varint is LEB128, at most 10 bytes, and only its
// shortest form is accepted, so that equal values are equal bytes.

// As a whole, not byte by byte: most of what is encoded and decoded are actors and stamps.
constexpr std::uint64_t in_order(std::uint64_t value, std::endian order) {
  return order == std::endian::native ? value : __builtin_bswap64(value);
}

// `Out` is Bytes, to append, or a Room.
template <typename Out>
void put_u8(Out& out, std::uint8_t value) {
  out.push_back(static_cast<char>(value));
}

template <typename Out>
void put_raw(Out& out, std::uint64_t ordered, std::size_t size) {
  char raw[8];
  std::memcpy(raw, &ordered, sizeof(raw));
  out.append(raw, size);
}
template <typename Out>
void put_u32(Out& out, std::uint32_t value) {
  put_raw(out, in_order(value, std::endian::little), 4);
}
template <typename Out>
void put_u64(Out& out, std::uint64_t value) {
  put_raw(out, in_order(value, std::endian::little), 8);
}
template <typename Out>
void put_u64_big_endian(Out& out, std::uint64_t value) {
  put_raw(out, in_order(value, std::endian::big), 8);
}

constexpr std::size_t varint_bytes_max = 10;
template <typename Out>
void put_varint(Out& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

// Length as a varint, then the bytes.
template <typename Out>
void put_bytes(Out& out, ByteView value) {
  put_varint(out, value.size());
  out.append(value.data(), value.size());
}

// Writes over a u32 that stands there.
inline void set_u32(Bytes& out, std::size_t at, std::uint32_t value) {
  const auto ordered = static_cast<std::uint32_t>(in_order(value, std::endian::little));
  RW_CHECK(at + sizeof(ordered) <= out.size());
  std::memcpy(out.data() + at, &ordered, sizeof(ordered));
}

// Room for as many bytes as a writer may need behind what `out` holds: many small fields go in
// without a call and an allocation for each. `out` is left alone until `finish` has cut off the
// rest. To write more than was foreseen is a programmer's error.
class Room {
 public:
  Room(Bytes& out, std::size_t bytes_max) : out_(out) {
    const std::size_t start = out.size();
    out.resize(start + bytes_max);
    at_ = out.data() + start;
    end_ = at_ + bytes_max;
  }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;

  void push_back(char byte) {
    RW_CHECK(at_ != end_);
    *at_++ = byte;
  }
  void append(const char* bytes, std::size_t size) {
    RW_CHECK(size <= static_cast<std::size_t>(end_ - at_));
    if (size > 0) std::memcpy(at_, bytes, size);
    at_ += size;
  }
  void finish() { out_.resize(static_cast<std::size_t>(at_ - out_.data())); }

 private:
  Bytes& out_;
  char* at_;
  char* end_;
};

// Of a place in memory that is known to hold eight bytes, whatever the machine's order.
inline std::uint64_t load_u64(const char* at) {
  std::uint64_t ordered = 0;
  std::memcpy(&ordered, at, sizeof(ordered));
  return in_order(ordered, std::endian::little);
}
inline std::uint64_t load_u64_big_endian(const char* at) {
  std::uint64_t ordered = 0;
  std::memcpy(&ordered, at, sizeof(ordered));
  return in_order(ordered, std::endian::big);
}

// Reads a varint of at most so many bytes, where so many can be read, and moves `at` behind it.
// Without branches, for lengths change from one to the next. False, with `at` where it was, when it
// is longer or not in its shortest form. What it reads are the varint's own bytes as one number: in
// their shortest form these order as the values do, so what is only compared need not be decoded.
constexpr std::size_t varint_ahead_bytes = 8;
inline bool load_raw_varint(const char*& at, std::uint64_t& raw) {
  const std::uint64_t word = load_u64(at);
  const std::uint64_t last = ~word & 0x8080808080808080;
  if (last == 0) return false;
  const std::uint64_t mask = last ^ (last - 1);  // the varint's bytes
  const std::uint64_t one_byte = 0xff;
  if (mask != one_byte && (word & mask) <= mask >> 8) return false;
  raw = word & mask;
  at += (std::countr_zero(last) >> 3) + 1;
  return true;
}
// The value of what `load_raw_varint` read.
constexpr std::uint64_t varint_value(std::uint64_t raw) {
  // Seven bits of each byte, then fourteen of each pair, then twenty-eight of each four.
  raw = (raw & 0x007f007f007f007f) | (raw & 0x7f007f007f007f00) >> 1;
  raw = (raw & 0x00003fff00003fff) | (raw & 0x3fff00003fff0000) >> 2;
  return (raw & 0x0fffffff) | (raw & 0x0fffffff00000000) >> 4;
}
// Both in one.
inline bool load_varint(const char*& at, std::uint64_t& value) {
  std::uint64_t raw = 0;
  if (!load_raw_varint(at, raw)) return false;
  value = varint_value(raw);
  return true;
}

// Reads what the put_* functions wrote. The first malformed field makes every later read return
// zero or empty and `failed()` true; a decoder checks once, at the end, and never reads out of
// bounds or allocates by a length that the input cannot hold.
class Decoder {
 public:
  explicit Decoder(ByteView input) : at_(input.data()), end_(at_ + input.size()) {}

  std::uint8_t u8() {
    const char* const raw = advance(1);
    return raw == nullptr ? 0 : static_cast<std::uint8_t>(*raw);
  }
  std::uint32_t u32() {
    return static_cast<std::uint32_t>(in_order(take_raw<4>(), std::endian::little));
  }
  std::uint64_t u64() { return in_order(take_raw<8>(), std::endian::little); }
  std::uint64_t u64_big_endian() { return in_order(take_raw<8>(), std::endian::big); }

  // Always inlined: most varints are one byte, and a call takes longer than that.
  [[gnu::always_inline]] std::uint64_t varint() {
    const bool is_short = at_ != end_ && static_cast<std::uint8_t>(*at_) < 0x80;
    return is_short ? static_cast<std::uint8_t>(*at_++) : long_varint();
  }

  ByteView take(std::size_t size) {
    const char* const raw = advance(size);
    return raw == nullptr ? ByteView{} : ByteView(raw, size);
  }

  ByteView bytes() {
    const std::uint64_t size = varint();
    if (size > left()) fail();
    return failed_ ? ByteView{} : take(static_cast<std::size_t>(size));
  }

  // A count of items that take at least `item_bytes_min` bytes each.
  std::size_t count(std::size_t item_bytes_min) {
    const std::uint64_t items = varint();
    if (items > left() / item_bytes_min) fail();
    return failed_ ? 0 : static_cast<std::size_t>(items);
  }

  ByteView rest() { return take(left()); }
  // For a reader of many small fields: where `size` bytes can be read with one check for all of
  // them, or null. Nothing is taken until `skip_to` says how far it came.
  const char* ahead(std::size_t size) const { return size <= left() ? at_ : nullptr; }
  void skip_to(const char* at) { at_ = at; }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  void fail() {
    failed_ = true;
    at_ = end_;
  }
  bool failed() const { return failed_; }
  // All of the input was read and none of it was malformed.
  bool complete() const { return !failed_ && at_ == end_; }

 private:
  // Null, and failed, when there are not so many left.
  const char* advance(std::size_t size) {
    if (size > left()) {
      fail();
      return nullptr;
    }
    const char* const raw = at_;
    at_ += size;
    return raw;
  }

  // The first bytes in memory are the first of the input, whatever the machine's order.
  template <std::size_t size>
  std::uint64_t take_raw() {
    std::uint64_t ordered = 0;
    if (const char* const raw = advance(size)) std::memcpy(&ordered, raw, size);
    return ordered;
  }

  std::uint64_t long_varint() {
    std::uint64_t value = 0;
    if (left() >= varint_ahead_bytes && load_varint(at_, value)) return value;
    int shift = 0;
    for (const char* at = at_; at != end_ && shift < 64; shift += 7) {
      const std::uint64_t byte = static_cast<std::uint8_t>(*at++);
      value |= (byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      if (byte == 0 || (shift == 63 && byte > 1)) break;  // not the shortest form, or 65 bits
      at_ = at;
      return value;
    }
    fail();
    return 0;
  }

  const char* at_;
  const char* end_;  // after a failure the same as `at_`, so that nothing more is read
  bool failed_ = false;
};

}  // namespace ringwright
