#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "engine/base/bytes.h"

namespace ringwright {

// Integers on disk and on the wire are little-endian, except the token in a storage key, which is
// big-endian so that byte order is ring order. A varint is LEB128, at most 10 bytes, and only its
// shortest form is accepted, so that equal values are equal bytes.

// As a whole, not byte by byte: most of what is encoded and decoded are actors and stamps.
constexpr std::uint64_t in_order(std::uint64_t value, std::endian order) {
  return order == std::endian::native ? value : __builtin_bswap64(value);
}

inline void put_u8(Bytes& out, std::uint8_t value) { out.push_back(static_cast<char>(value)); }

inline void put_raw(Bytes& out, std::uint64_t ordered, std::size_t size) {
  char raw[8];
  std::memcpy(raw, &ordered, sizeof(raw));
  out.append(raw, size);
}
inline void put_u32(Bytes& out, std::uint32_t value) {
  put_raw(out, in_order(value, std::endian::little), 4);
}
inline void put_u64(Bytes& out, std::uint64_t value) {
  put_raw(out, in_order(value, std::endian::little), 8);
}
inline void put_u64_big_endian(Bytes& out, std::uint64_t value) {
  put_raw(out, in_order(value, std::endian::big), 8);
}

inline void put_varint(Bytes& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

// Length as a varint, then the bytes.
inline void put_bytes(Bytes& out, ByteView value) {
  put_varint(out, value.size());
  out.append(value);
}

// Reads what the put_* functions wrote. The first malformed field makes every later read return
// zero or empty and `failed()` true; a decoder checks once, at the end, and never reads out of
// bounds or allocates by a length that the input cannot hold.
class Decoder {
 public:
  explicit Decoder(ByteView input) : input_(input) {}

  std::uint8_t u8() {
    const ByteView raw = take(1);
    return raw.empty() ? 0 : static_cast<std::uint8_t>(raw.front());
  }
  std::uint32_t u32() {
    return static_cast<std::uint32_t>(in_order(take_raw(4), std::endian::little));
  }
  std::uint64_t u64() { return in_order(take_raw(8), std::endian::little); }
  std::uint64_t u64_big_endian() { return in_order(take_raw(8), std::endian::big); }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      const std::uint8_t byte = u8();
      if (failed_) return 0;
      if (shift == 63 && byte > 1) break;
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (byte == 0 && shift > 0) break;  // not the shortest form
        return value;
      }
    }
    failed_ = true;
    return 0;
  }

  ByteView take(std::size_t size) {
    if (failed_ || size > input_.size()) {
      failed_ = true;
      return {};
    }
    const ByteView taken = input_.substr(0, size);
    input_.remove_prefix(size);
    return taken;
  }

  ByteView bytes() {
    const std::uint64_t size = varint();
    if (size > input_.size()) failed_ = true;
    return failed_ ? ByteView{} : take(static_cast<std::size_t>(size));
  }

  // A count of items that take at least `item_bytes_min` bytes each.
  std::size_t count(std::size_t item_bytes_min) {
    const std::uint64_t items = varint();
    if (items > input_.size() / item_bytes_min) failed_ = true;
    return failed_ ? 0 : static_cast<std::size_t>(items);
  }

  ByteView rest() { return take(input_.size()); }
  std::size_t left() const { return failed_ ? 0 : input_.size(); }
  void fail() { failed_ = true; }
  bool failed() const { return failed_; }
  // All of the input was read and none of it was malformed.
  bool complete() const { return !failed_ && input_.empty(); }

 private:
  // The first bytes in memory are the first of the input, whatever the machine's order.
  std::uint64_t take_raw(std::size_t size) {
    const ByteView raw = take(size);
    std::uint64_t ordered = 0;
    if (!raw.empty()) std::memcpy(&ordered, raw.data(), size);
    return ordered;
  }

  ByteView input_;
  bool failed_ = false;
};

}  // namespace ringwright
