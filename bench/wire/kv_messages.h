#pragma once

#include <cstdint>

#include "engine/base/bytes.h"
#include "engine/base/status.h"

// Messages of the service KV, as frames: the other side of what the load client's codec says, for
// servers that stand in for a real one.
namespace ringwright::bench {

enum class CallKind { put, get, hello, unknown };

// Views into the frame.
struct Call {
  CallKind kind = CallKind::unknown;
  ByteView name;
  std::uint32_t sequence = 0;
  std::int64_t request_id = 0;
  ByteView key;
  ByteView value;
};

// `frame` without its length. Fields that a stand-in has no use for are skipped.
Result<Call> decode_call(ByteView frame);

// Each adds a whole frame.
void encode_put_reply(Bytes& out, std::uint32_t sequence, std::int64_t request_id, ByteView key);
// A null `value` says that the key is absent.
void encode_get_reply(Bytes& out, std::uint32_t sequence, std::int64_t request_id, ByteView key,
                      const Bytes* value);
void encode_hello_reply(Bytes& out, std::uint32_t sequence);
void encode_unknown_call(Bytes& out, std::uint32_t sequence, ByteView name);

// The length of the frame at the front of `in`, its head included; 0 when `in` ends within the
// head; an error when the frame is larger than any peer may send.
Result<std::size_t> whole_frame(ByteView in);

}  // namespace ringwright::bench
