// What nodes send each other. The checksum keeps damage out, so it is also set right, for what lies
// behind it; and a message that could be read is written as the same bytes.
#include <cstring>

#include "plugins/thrift/peer_codec.h"
#include "tests/fuzz/thrift/fuzzed.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ringwright;
  using namespace ringwright::wire;
  const ByteView input = view_of(data, size);
  peer::BatchReader(input).is_batch();
  decode_message(input).has_value();
  Bytes sealed;
  const std::size_t sealed_at = peer::begin_batch(sealed);
  sealed += input;
  peer::end_batch(sealed, sealed_at);
  peer::BatchReader batch(ByteView(sealed).substr(4));
  must(batch.is_batch());
  while (!batch.at_end())
    if (!batch.next()) break;

  const auto message = decode_unguarded(input);
  if (!message) return 0;
  Bytes again;
  append_unguarded(again, message->stamp, message->message);
  must(again.size() <= message_bytes_bound(message->message));
  const auto second = decode_unguarded(again);
  must(second.has_value() && second->stamp == message->stamp);
  must(second->message == message->message);
  must(decode_message(encode_message(message->stamp, message->message)).has_value());
  must(shard_of(message->message, 3) < 3);

  Bytes frame;
  const std::size_t at = peer::begin_batch(frame);
  for (int i = 0; i < 2; ++i) peer::append_message(frame, again);
  peer::end_batch(frame, at);
  peer::BatchReader reader(ByteView(frame).substr(4));
  must(reader.is_batch());
  for (int i = 0; i < 2; ++i) must(reader.next()->message == message->message);
  must(reader.at_end());
  return 0;
}
