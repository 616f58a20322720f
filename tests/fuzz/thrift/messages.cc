// What nodes send each other. The checksum keeps damage out, so it is also set right, for what lies
// behind it; and a message that could be read is written as the same bytes.
#include <cstring>

#include "engine/base/hash.h"
#include "plugins/thrift/peer_codec.h"
#include "tests/fuzz/thrift/fuzzed.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ringwright;
  using namespace ringwright::wire;
  const ByteView input = view_of(data, size);
  peer::BatchReader batch(input);
  while (batch.is_batch() && !batch.at_end())
    if (!batch.next()) break;

  decode_message(input).has_value();
  Bytes sound(input);
  put_u32(sound, checksum32(input));
  const auto message = decode_message(sound);
  if (!message) return 0;
  const Bytes again = encode_message(message->stamp, message->message);
  must(again.size() <= message_bytes_bound(message->message));
  const auto second = decode_message(again);
  must(second.has_value() && second->stamp == message->stamp);
  must(second->message == message->message);
  must(shard_of(message->message, 3) < 3);

  Bytes frame;
  const std::size_t at = peer::begin_batch(frame);
  peer::append_message(frame, message->stamp, message->message);
  peer::append_message(frame, message->stamp, message->message);
  peer::end_batch(frame, at);
  peer::BatchReader reader(ByteView(frame).substr(4));
  must(reader.is_batch());
  for (int i = 0; i < 2; ++i) must(reader.next()->message == message->message);
  must(reader.at_end());
  return 0;
}
