#pragma once

#include "engine/base/status.h"
#include "replication/version/version_vector.h"

namespace ringwright {

// What a get returns and a put hands back: which events of one key the client has seen. Opaque to
// users; bound to its keyspace and key, so that a context of another key is refused.
struct Context {
  std::uint64_t keyspace_hash = 0;
  std::uint64_t key_hash = 0;
  VersionVector vector;  // kind `siblings`; empty for `lww`
  // The highest that it covers, never below one of the vector's: who refuses a stamp from the far
  // future need look no further. For `lww` the whole causal part.
  Timestamp stamp = 0;

  // Everything that `other` covers is covered here.
  bool descends(const Context& other) const {
    return vector.descends(other.vector) && stamp >= other.stamp;
  }
  void merge(const Context& other);

  friend bool operator==(const Context&, const Context&) = default;
};

Context empty_context(ByteView keyspace, ByteView key);

Bytes encode(const Context& context);
// `invalid` for bytes that are no context.
Result<Context> decode_context(ByteView bytes);
// `invalid` when the context belongs to another keyspace or key.
Status check_context(const Context& context, ByteView keyspace, ByteView key);

}  // namespace ringwright
