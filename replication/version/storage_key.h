#pragma once

#include <cstdint>

#include "engine/base/bytes.h"
#include "engine/base/coding.h"
#include "engine/base/hash.h"

namespace ringwright {

// A position on the ring.
using Token = std::uint64_t;
inline Token token_of(ByteView key) { return hash64(key); }

// The first byte of every key that we store. `data`: a primary's copy. `fallback`: a stand-in's.
enum class RowKind : std::uint8_t { system = 0, data = 1, digest = 2, fallback = 3, hint = 4 };

// Row kind, 8-byte big-endian token, user key: data lie on disk in ring order. `token` is the
// key's.
inline Bytes storage_key(RowKind kind, Token token, ByteView key) {
  Bytes out;
  out.reserve(9 + key.size());
  put_u8(out, static_cast<std::uint8_t>(kind));
  put_u64_big_endian(out, token);
  out.append(key);
  return out;
}
inline Bytes storage_key(RowKind kind, ByteView key) {
  return storage_key(kind, token_of(key), key);
}

// Where the rows of one kind begin, or those from a token on.
inline Bytes storage_key_start(RowKind kind, Token token = 0) {
  Bytes out;
  put_u8(out, static_cast<std::uint8_t>(kind));
  put_u64_big_endian(out, token);
  return out;
}

// The user key within a storage key of kind data or fallback; empty when it is too short.
inline ByteView user_key(ByteView stored) {
  return stored.size() < 9 ? ByteView{} : stored.substr(9);
}

}  // namespace ringwright
