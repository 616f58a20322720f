#include "replication/version/context.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/base/hash.h"

namespace ringwright {
namespace {

constexpr std::uint8_t context_format = 1;
// The format, then the checksum over all that follows.
constexpr std::size_t checked_from = 1 + 4;

}  // namespace

void Context::merge(const Context& other) {
  vector.merge(other.vector);
  stamp = std::max(stamp, other.stamp);
}

Context empty_context(ByteView keyspace, ByteView key) {
  Context context;
  context.keyspace_hash = hash64(keyspace);
  context.key_hash = hash64(key);
  return context;
}

Bytes encode(const Context& context) {
  RW_CHECK(context.stamp >= context.vector.latest_stamp());
  Bytes out;
  Room room(out, checked_from + 3 * 8 + context.vector.encoded_bytes_max());
  put_u8(room, context_format);
  put_u32(room, 0);
  put_u64(room, context.keyspace_hash);
  put_u64(room, context.key_hash);
  put_u64(room, context.stamp);
  context.vector.encode(room);
  room.finish();
  set_u32(out, 1, checksum32(ByteView(out).substr(checked_from)));
  return out;
}

Result<Context> decode_context(ByteView bytes) {
  const auto refused = [] {
    return Status{Code::invalid, "these bytes are not a context: pass one that a get returned"};
  };
  Decoder head(bytes);
  const std::uint8_t format = head.u8();
  const std::uint32_t checksum = head.u32();
  const ByteView body = head.rest();
  if (head.failed() || format != context_format || checksum32(body) != checksum) return refused();
  Decoder in(body);
  Context context;
  context.keyspace_hash = in.u64();
  context.key_hash = in.u64();
  context.stamp = in.u64();
  context.vector = VersionVector::decode(in);
  if (!in.complete() || context.stamp < context.vector.latest_stamp()) return refused();
  return context;
}

Status check_context(const Context& context, ByteView keyspace, ByteView key) {
  if (context.keyspace_hash != hash64(keyspace))
    return {Code::invalid,
            "the context belongs to another keyspace, not to " + printable(keyspace)};
  if (context.key_hash != hash64(key))
    return {Code::invalid, "the context belongs to another key: pass the one that a get of " +
                               printable(key) + " returned"};
  return {};
}

}  // namespace ringwright
