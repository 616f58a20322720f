#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/base/coding.h"
#include "engine/base/hash.h"
#include "replication/version/record_view.h"

namespace ringwright {

// How a record lies in its bytes (docs/formats.md), for those who read and write it.

constexpr std::uint8_t record_format = 1;
// The format stands first, so that a later one may change all that follows; then the checksum.
constexpr std::size_t checked_from = 1 + 4;
constexpr std::uint8_t flag_tombstone = 1;
constexpr std::uint8_t flag_expiry = 2;
constexpr std::uint8_t flag_request = 4;
constexpr std::uint8_t flags_known = flag_tombstone | flag_expiry | flag_request;

// Whether format and checksum are right. The record need not be in canonical form.
inline bool is_sound(ByteView bytes, ByteView key) {
  Decoder in(bytes);
  const std::uint8_t format = in.u8();
  const std::uint32_t checksum = in.u32();
  return format == record_format && in.left() > 0 && checksum32(key, in.rest()) == checksum;
}

// All of a sibling but its dot.
inline void decode_content(Decoder& in, SiblingView& sibling) {
  const std::uint8_t flags = in.u8();
  if ((flags & ~flags_known) != 0) in.fail();
  sibling.tombstone = (flags & flag_tombstone) != 0;
  sibling.stamp = in.u64();
  if ((flags & flag_expiry) != 0) {
    sibling.expires_us = in.u64();
    if (sibling.expires_us == 0) in.fail();
  }
  if ((flags & flag_request) != 0) {
    sibling.request = take_request_id(in);
    if (sibling.request.empty()) in.fail();
  }
  sibling.value = in.bytes();
  if (sibling.tombstone && (sibling.expires_us != 0 || !sibling.value.empty())) in.fail();
}

}  // namespace ringwright
