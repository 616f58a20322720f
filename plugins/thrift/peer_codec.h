#pragma once

#include <cstdint>
#include <variant>

#include "engine/base/status.h"
#include "plugins/thrift/binary.h"
#include "replication/transport/identity.h"
#include "replication/transport/message.h"

// What nodes say to each other: first who they are, in the generated codec, then batches of
// messages of the codec `native`: one checksum, then each message behind its length.
namespace ringwright::wire::peer {

struct Hello {
  NodeIdentity caller;
  NodeId target;  // whom the caller means to reach
};

// Each encode_* appends a whole frame.
void encode_hello(Bytes& out, const Hello& hello);
Result<Hello> decode_hello(ByteView frame);
void encode_welcome(Bytes& out, const NodeIdentity& server, std::uint32_t protocol);
void encode_refusal(Bytes& out, const Mismatch& why);
// `mismatch`: the other side refused, with its reason; `corrupt`: not an answer to a hello.
Result<NodeIdentity> decode_welcome(ByteView frame);

// A batch: a frame is begun, messages are appended to it, and it is ended.
std::size_t begin_batch(Bytes& out);
void append_message(Bytes& out, ByteView unguarded);
void end_batch(Bytes& out, std::size_t at);

// The messages of a batch, one after the other.
class BatchReader {
 public:
  // `is_batch()` says whether the frame is one.
  explicit BatchReader(ByteView frame);
  bool is_batch() const { return is_batch_; }
  bool at_end() const { return is_whole_ && rest_.empty(); }
  // `corrupt` when the batch is damaged, `corrupt` or `invalid` as decode_message says; then the
  // rest is not to be believed.
  Result<StampedMessage> next();

 private:
  ByteView rest_;
  bool is_batch_ = false;
  bool is_whole_ = false;
};

}  // namespace ringwright::wire::peer
