#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>

#include "engine/base/bytes.h"
#include "engine/base/coding.h"

// Thrift's strict binary protocol over memory: big-endian integers, fields by type and number, a
// stop byte behind each struct. (Apache Thrift, "Thrift Binary protocol encoding".)
namespace ringwright::binary {

enum class Type : std::uint8_t {
  stop = 0,
  boolean = 2,
  i8 = 3,
  real = 4,
  i16 = 6,
  i32 = 8,
  i64 = 10,
  bytes = 11,
  structure = 12,
  map = 13,
  set = 14,
  list = 15,
};

enum class MessageType : std::uint8_t { call = 1, reply = 2, exception = 3, oneway = 4 };

constexpr std::uint32_t version = 0x80010000;
constexpr std::size_t frame_head_bytes = 4;
// Structs within structs that a reader follows.
constexpr int depth_max = 16;

inline void put_i32(Bytes& out, std::uint32_t value) {
  const std::uint32_t raw = __builtin_bswap32(value);
  out.append(reinterpret_cast<const char*>(&raw), 4);
}
inline void put_i64(Bytes& out, std::uint64_t value) {
  const std::uint64_t raw = __builtin_bswap64(value);
  out.append(reinterpret_cast<const char*>(&raw), 8);
}
inline void put_string(Bytes& out, ByteView value) {
  put_i32(out, static_cast<std::uint32_t>(value.size()));
  out.append(value);
}

inline void put_field(Bytes& out, Type type, std::uint16_t id) {
  const char raw[3] = {static_cast<char>(type), static_cast<char>(id >> 8), static_cast<char>(id)};
  out.append(raw, 3);
}
inline void put_stop(Bytes& out) { out.push_back('\0'); }
inline void put_i32_field(Bytes& out, std::uint16_t id, std::uint32_t value) {
  put_field(out, Type::i32, id);
  put_i32(out, value);
}
inline void put_i64_field(Bytes& out, std::uint16_t id, std::uint64_t value) {
  put_field(out, Type::i64, id);
  put_i64(out, value);
}
inline void put_string_field(Bytes& out, std::uint16_t id, ByteView value) {
  put_field(out, Type::bytes, id);
  put_string(out, value);
}
inline void put_bool_field(Bytes& out, std::uint16_t id, bool value) {
  put_field(out, Type::boolean, id);
  out.push_back(value ? '\1' : '\0');
}

inline void put_message_head(Bytes& out, MessageType type, ByteView name, std::uint32_t sequence) {
  put_i32(out, version | static_cast<std::uint32_t>(type));
  put_string(out, name);
  put_i32(out, sequence);
}

// A frame is begun, filled and ended within one buffer that may hold others before it.
inline std::size_t begin_frame(Bytes& out) {
  const std::size_t at = out.size();
  out.append(frame_head_bytes, '\0');
  return at;
}
inline void end_frame(Bytes& out, std::size_t at) {
  const std::uint32_t size =
      __builtin_bswap32(static_cast<std::uint32_t>(out.size() - at - frame_head_bytes));
  std::memcpy(out.data() + at, &size, frame_head_bytes);
}
inline std::uint32_t frame_size(const char* head) {
  std::uint32_t raw = 0;
  std::memcpy(&raw, head, frame_head_bytes);
  return __builtin_bswap32(raw);
}

// Reads what the functions above wrote. As with `Decoder`, the first malformed field makes every
// later read return zero or empty; nothing is allocated by a length that the input cannot hold.
class Reader {
 public:
  explicit Reader(ByteView input) : in_(input) {}

  std::uint8_t i8() { return in_.u8(); }
  std::uint16_t i16() {
    const ByteView raw = in_.take(2);
    if (raw.empty()) return 0;
    return static_cast<std::uint16_t>(static_cast<std::uint8_t>(raw[0]) << 8 |
                                      static_cast<std::uint8_t>(raw[1]));
  }
  std::uint32_t i32() {
    const ByteView raw = in_.take(4);
    if (raw.empty()) return 0;
    std::uint32_t value = 0;
    std::memcpy(&value, raw.data(), 4);
    return __builtin_bswap32(value);
  }
  std::uint64_t i64() {
    const ByteView raw = in_.take(8);
    if (raw.empty()) return 0;
    std::uint64_t value = 0;
    std::memcpy(&value, raw.data(), 8);
    return __builtin_bswap64(value);
  }
  bool boolean() { return in_.u8() != 0; }
  ByteView string() { return in_.take(i32()); }

  struct Field {
    Type type = Type::stop;
    std::uint16_t id = 0;
  };
  // `stop` also when the input is malformed.
  Field field() {
    Field field;
    field.type = static_cast<Type>(in_.u8());
    if (field.type != Type::stop) field.id = i16();
    return in_.failed() ? Field{} : field;
  }
  // The number of elements of a list that must hold this type, each of at least so many bytes.
  std::size_t list(Type wanted, std::size_t element_bytes_min) {
    const auto type = static_cast<Type>(in_.u8());
    const std::uint32_t count = i32();
    if ((type != wanted && count > 0) || count > in_.left() / element_bytes_min) in_.fail();
    return in_.failed() ? 0 : count;
  }

  void skip(Type type, int depth = 0) {
    if (depth > depth_max) in_.fail();
    if (in_.failed()) return;
    switch (type) {
      case Type::boolean:
      case Type::i8:
        in_.take(1);
        return;
      case Type::i16:
        in_.take(2);
        return;
      case Type::i32:
        in_.take(4);
        return;
      case Type::i64:
      case Type::real:
        in_.take(8);
        return;
      case Type::bytes:
        string();
        return;
      case Type::structure:
        for (Field at = field(); at.type != Type::stop; at = field()) skip(at.type, depth + 1);
        return;
      case Type::list:
      case Type::set: {
        const auto element = static_cast<Type>(in_.u8());
        skip_elements({element}, i32(), depth);
        return;
      }
      case Type::map: {
        const auto key = static_cast<Type>(in_.u8());
        const auto value = static_cast<Type>(in_.u8());
        skip_elements({key, value}, i32(), depth);
        return;
      }
      case Type::stop:
        break;
    }
    in_.fail();
  }

  void fail() { in_.fail(); }
  bool failed() const { return in_.failed(); }
  std::size_t left() const { return in_.left(); }
  bool complete() const { return in_.complete(); }

 private:
  void skip_elements(std::initializer_list<Type> types, std::uint32_t count, int depth) {
    // Every element takes at least a byte.
    if (count > in_.left()) in_.fail();
    for (std::uint32_t i = 0; i < count && !in_.failed(); ++i)
      for (const Type type : types) skip(type, depth + 1);
  }

  Decoder in_;
};

struct MessageHead {
  MessageType type = MessageType::call;
  ByteView name;  // into the frame
  std::uint32_t sequence = 0;
};
// Of a strict message; the reader has failed when it is none.
inline MessageHead take_message_head(Reader& in) {
  MessageHead head;
  const std::uint32_t word = in.i32();
  if ((word & 0xffff0000) != version) in.fail();
  head.type = static_cast<MessageType>(word & 0xff);
  head.name = in.string();
  head.sequence = in.i32();
  return head;
}

}  // namespace ringwright::binary
