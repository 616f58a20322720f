// Frames from a client and replies of shards, in any order: every call that could be read is
// answered once, nothing is kept for those that were, and no answer exceeds a frame.
#include "plugins/thrift/client_session.h"

#include <vector>

#include "engine/base/limits.h"
#include "tests/fuzz/thrift/fuzzed.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ringwright;
  using namespace ringwright::wire;
  static const ServerFacts facts{fuzzed_map(), 0, "fuzz"};
  ClientCounters counters;
  ClientSession session(facts, counters);
  Bytes out;
  std::vector<Message> open;
  std::size_t frames_in = 0;
  std::uint8_t dice = size > 0 ? data[size - 1] : 0;
  const auto answer = [&](std::size_t index) {
    ClientReply reply;
    if (const auto* get = std::get_if<GetRequest>(&open[index])) {
      reply.operation = get->operation;
      reply.key = get->key;
      reply.siblings.resize(dice % 3);
    } else {
      const auto& put = std::get<PutRequest>(open[index]);
      reply.operation = put.operation;
      reply.key = put.key;
      reply.context = "c";
    }
    must(reply.operation >> operation_shard_shift == 0);
    if (dice % 5 == 0) reply.outcome = Outcome::failed;
    if (dice % 5 == 1) reply.outcome = Outcome::unknown;
    if (reply.outcome != Outcome::ok) reply.code = Code::timed_out;
    ClientReply again = reply;
    session.take_reply(std::move(reply), out, dice % 7 == 0);
    const std::size_t length = out.size();
    session.take_reply(std::move(again), out);
    must(out.size() == length);
    open.erase(open.begin() + static_cast<std::ptrdiff_t>(index));
  };
  ByteView left = view_of(data, size);
  while (left.size() > 4) {
    const std::size_t wanted = binary::frame_size(left.data()) % 65536;
    const std::size_t length = std::min(wanted + 1, left.size() - 4);
    const ByteView frame = left.substr(4, length);
    left.remove_prefix(4 + length);
    dice = static_cast<std::uint8_t>(dice * 29 + frame.back());
    if (session.is_full(0)) {
      must(!open.empty());
      while (!open.empty()) answer(open.size() - 1);
    }
    if (!session.take_frame(frame, out,
                            [&](Message&& message) { open.push_back(std::move(message)); }))
      break;
    ++frames_in;
    if (dice % 2 == 0 && !open.empty()) answer(dice % open.size());
  }
  while (!open.empty()) answer(dice % open.size());
  must(session.calls() == 0 && session.bytes() == 0);
  std::size_t frames_out = 0;
  for (ByteView sent = out; !sent.empty(); ++frames_out) {
    must(sent.size() > 4);
    const std::size_t length = binary::frame_size(sent.data());
    must(length <= limits::frame_bytes_max && length <= sent.size() - 4);
    sent.remove_prefix(4 + length);
  }
  must(frames_out == frames_in);
  return 0;
}
