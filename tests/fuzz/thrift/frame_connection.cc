// Frames out of bytes that arrive in pieces of any size, with throttling in between: the same
// frames come out as when all arrives at once, and nothing is kept beyond what has arrived.
#include "plugins/thrift/frame_connection.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/fuzz/thrift/fuzzed.h"

namespace ringwright::wire {
namespace {

class MemoryStream final : public ByteStream {
 public:
  Moved read(char* into, std::size_t room) override {
    const std::size_t size = std::min({room, piece, input.size()});
    std::copy_n(input.data(), size, into);
    input.remove_prefix(size);
    return {size, size == 0 && is_over};
  }
  Moved write(ByteView bytes) override {
    const std::size_t size = std::min(bytes.size(), piece);
    written += bytes.substr(0, size);
    return {size, false};
  }
  const Descriptor& descriptor() const override { return descriptor_; }

  ByteView input;
  std::size_t piece = 1;
  bool is_over = false;
  Bytes written;

 private:
  Descriptor descriptor_{::eventfd(0, EFD_NONBLOCK)};
};

struct Taken {
  std::vector<Bytes> frames;
  FrameConnection::Input end = FrameConnection::Input::open;
};

// `script` says how large the pieces are and when nothing more is taken; empty: all at once.
Taken run(ByteView input, ByteView script, std::size_t frame_bytes_max) {
  static Poller poller;
  static ReadBuffer buffer;
  auto owned = std::make_unique<MemoryStream>();
  MemoryStream& stream = *owned;
  stream.input = input;
  FrameConnection connection(std::move(owned), poller, 1, 0);
  connection.set_frame_bytes_max(frame_bytes_max);
  Taken taken;
  Instant now = 1;
  std::size_t credit = script.empty() ? SIZE_MAX : 0;
  Bytes sent;
  const auto take = [&](ByteView frame) {
    must(frame.size() > 0 && frame.size() <= frame_bytes_max);
    if (credit != SIZE_MAX) --credit;
    taken.frames.emplace_back(frame);
    connection.out().append(frame);
    sent.append(frame);
    return true;
  };
  const auto is_full = [&] { return credit == 0; };
  for (std::size_t step = 0; taken.end == FrameConnection::Input::open && step < 4096; ++step) {
    const bool is_last = step >= script.size();
    const auto byte = is_last ? std::uint8_t{255} : static_cast<std::uint8_t>(script[step]);
    stream.piece = is_last ? SIZE_MAX : byte / 4 + std::size_t{1};
    credit = is_last ? SIZE_MAX : byte % 4;
    const std::size_t left = stream.input.size();
    taken.end = connection.go_on(++now, take, is_full);
    if (taken.end == FrameConnection::Input::open)
      taken.end = connection.receive(buffer, ++now, take, is_full);
    must(connection.flush(now));
    must(connection.buffered() <= input.size() + sent.size());
    must(connection.partial_since() == never || connection.partial_since() <= now);
    if (is_last && left == 0 && stream.input.empty()) break;
  }
  stream.piece = SIZE_MAX;
  must(connection.flush(now));
  must(stream.written == sent);
  must(connection.stalled_since() == never);
  return taken;
}

}  // namespace
}  // namespace ringwright::wire

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ringwright;
  if (size < 1) return 0;
  const ByteView all = view_of(data, size);
  const std::size_t scripted = std::min<std::size_t>(static_cast<std::uint8_t>(all[0]), size - 1);
  const ByteView script = all.substr(1, scripted);
  const ByteView input = all.substr(1 + scripted);
  const auto at_once = wire::run(input, {}, 4096);
  const auto in_pieces = wire::run(input, script, 4096);
  must(at_once.frames == in_pieces.frames);
  must(at_once.end == in_pieces.end);
  return 0;
}
