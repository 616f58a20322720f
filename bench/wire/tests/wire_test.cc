// The parts of the load client that decide whether a figure can be believed: that wrong answers are
// noticed, that contexts are handed back, that an answer is counted once it was given.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <functional>
#include <map>
#include <set>
#include <thread>

#include "bench/wire/client_codec.h"
#include "bench/wire/kv_messages.h"
#include "bench/wire/load_client.h"
#include "bench/wire/socket.h"
#include "plugins/thrift/binary.h"

namespace ringwright::bench {
namespace {

using std::chrono::milliseconds;

constexpr ByteView some_key = "key0000000000042";

ByteView without_length(ByteView frame) { return frame.substr(binary::frame_head_bytes); }

void encode_put_reply_with_context(Bytes& out, const Call& call, ByteView context) {
  const std::size_t frame = binary::begin_frame(out);
  binary::put_message_head(out, binary::MessageType::reply, "put", call.sequence);
  binary::put_field(out, binary::Type::structure, 0);
  binary::put_i64_field(out, 1, static_cast<std::uint64_t>(call.request_id));
  binary::put_string_field(out, 2, call.key);
  binary::put_string_field(out, 3, context);
  binary::put_stop(out);
  binary::put_stop(out);
  binary::end_frame(out, frame);
}

void encode_error(Bytes& out, const Call& call, std::uint32_t code) {
  const std::size_t frame = binary::begin_frame(out);
  binary::put_message_head(out, binary::MessageType::reply, call.name, call.sequence);
  binary::put_field(out, binary::Type::structure, 1);
  binary::put_i32_field(out, 1, code);
  binary::put_i64_field(out, 8, static_cast<std::uint64_t>(call.request_id));
  binary::put_string_field(out, 9, call.key);
  binary::put_stop(out);
  binary::put_stop(out);
  binary::end_frame(out, frame);
}

// Field 4 of a put's request, which a stand-in's decoder skips.
Bytes context_of(ByteView frame) {
  binary::Reader in(without_length(frame));
  binary::take_message_head(in);
  in.field();
  Bytes context;
  for (auto at = in.field(); at.type != binary::Type::stop; at = in.field()) {
    if (at.id == 4)
      context = in.string();
    else
      in.skip(at.type);
  }
  return context;
}

// A server of one connection. `answer` sees all whole frames of one recv.
class OneConnectionServer {
 public:
  using Answer = std::function<void(const std::vector<Bytes>& frames, Bytes& out)>;

  explicit OneConnectionServer(Answer answer)
      : listener_(*listen_anywhere()), answer_(std::move(answer)), thread_([this] { serve(); }) {}
  ~OneConnectionServer() {
    stop_ = true;
    thread_.join();
  }
  std::string address() const { return listener_.address(); }

 private:
  bool wait_for(int fd) {
    pollfd waited{fd, POLLIN, 0};
    while (!stop_)
      if (::poll(&waited, 1, 20) > 0) return true;
    return false;
  }

  void serve() {
    if (!wait_for(listener_.socket.get())) return;
    Descriptor socket(::accept4(listener_.socket.get(), nullptr, nullptr, SOCK_NONBLOCK));
    InputBuffer in(1 << 20);
    OutputBuffer out;
    while (wait_for(socket.get())) {
      if (in.receive(socket.get()) == InputBuffer::Outcome::closed) return;
      std::vector<Bytes> frames;
      for (;;) {
        const auto size = whole_frame(in.unread());
        if (!size || *size == 0 || *size > in.unread().size()) break;
        frames.emplace_back(in.unread().substr(0, *size));
        in.consume(*size);
      }
      answer_(frames, out.bytes());
      while (!out.empty()) ASSERT_TRUE(out.send(socket.get()));
    }
  }

  ReservedPort listener_;
  Answer answer_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

LoadSettings small_load(const OneConnectionServer& server) {
  LoadSettings settings;
  settings.addresses = {server.address()};
  settings.connections = 1;
  settings.window = 8;
  settings.keys = 100;
  return settings;
}

std::unique_ptr<ClientCodec> ordered_codec() {
  return make_ringwright_codec({.unordered_replies = false, .keyspace = ""});
}

TEST(RingwrightCodecTest, RequestsAreReadAsTheyWereWritten) {
  const auto codec = make_ringwright_codec({.unordered_replies = true, .keyspace = "lww"});
  Bytes out;
  codec->begin(out);
  codec->put({3, 77, some_key, "value", "seen"}, out);
  codec->get({4, 78, some_key, {}, {}}, out);
  std::vector<Call> calls;
  for (ByteView rest = out; !rest.empty();) {
    const std::size_t size = *whole_frame(rest);
    calls.push_back(*decode_call(without_length(rest.substr(0, size))));
    rest.remove_prefix(size);
  }
  ASSERT_EQ(calls.size(), 3U);
  EXPECT_EQ(calls[0].kind, CallKind::hello);
  EXPECT_EQ(calls[1].kind, CallKind::put);
  EXPECT_EQ(calls[1].sequence, 3U);
  EXPECT_EQ(calls[1].request_id, 77);
  EXPECT_EQ(calls[1].key, some_key);
  EXPECT_EQ(calls[1].value, "value");
  EXPECT_EQ(calls[2].kind, CallKind::get);
  EXPECT_EQ(calls[2].request_id, 78);
}

TEST(RingwrightCodecTest, RepliesCutAnywhereWaitForTheRest) {
  const auto codec = ordered_codec();
  const Bytes value = "value";
  Bytes in;
  encode_get_reply(in, 5, 99, some_key, &value);
  std::vector<Reply> replies;
  for (std::size_t cut = 0; cut < in.size(); ++cut) {
    const auto taken = codec->decode(ByteView(in).substr(0, cut), replies);
    ASSERT_TRUE(taken.has_value());
    ASSERT_EQ(*taken, 0U);
    ASSERT_TRUE(replies.empty());
  }
  ASSERT_EQ(*codec->decode(in, replies), in.size());
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies[0].slot, 5U);
  EXPECT_EQ(replies[0].request_id, 99);
  EXPECT_EQ(replies[0].key, some_key);
  EXPECT_EQ(replies[0].values, 1U);
  EXPECT_EQ(replies[0].value, "value");
}

TEST(RingwrightCodecTest, MalformedRepliesAreRefusedNotRead) {
  const Bytes value = "value";
  Bytes whole;
  encode_get_reply(whole, 5, 99, some_key, &value);
  // Each byte of the body made extreme: a result or an error, nothing else.
  for (std::size_t at = binary::frame_head_bytes; at < whole.size(); ++at) {
    Bytes damaged = whole;
    damaged[at] = '\x7f';
    std::vector<Reply> replies;
    const auto taken = ordered_codec()->decode(damaged, replies);
    EXPECT_TRUE(!taken || *taken == damaged.size());
  }
  std::vector<Reply> replies;
  const Bytes html = "HTTP/1.1 400 Bad Request\r\n\r\n";
  EXPECT_FALSE(ordered_codec()->decode(html, replies).has_value());
}

TEST(RedisCodecTest, ASetCountsOnceItsWaitIsAnswered) {
  const auto codec = make_redis_codec({.wait_replicas = 1});
  Bytes out;
  codec->put({0, 1, some_key, "a", {}}, out);
  codec->put({1, 2, some_key, "b", {}}, out);
  codec->end_burst(out);
  EXPECT_EQ(out.find("WAIT"), out.rfind("WAIT"));
  std::vector<Reply> replies;
  ASSERT_TRUE(codec->decode("+OK\r\n+OK\r\n", replies).has_value());
  EXPECT_TRUE(replies.empty());
  ASSERT_TRUE(codec->decode(":1\r\n", replies).has_value());
  ASSERT_EQ(replies.size(), 2U);
  EXPECT_EQ(replies[0].error, "");
  EXPECT_EQ(replies[1].slot, 1U);

  replies.clear();
  codec->put({0, 3, some_key, "c", {}}, out);
  codec->end_burst(out);
  ASSERT_TRUE(codec->decode("+OK\r\n:0\r\n", replies).has_value());
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies[0].error, "WAIT");
}

TEST(RedisCodecTest, ReadsValuesAbsenceAndErrors) {
  const auto codec = make_redis_codec({});
  Bytes out;
  for (std::uint32_t slot = 0; slot < 3; ++slot) codec->get({slot, 1, some_key, {}, {}}, out);
  std::vector<Reply> replies;
  const Bytes first = "$3\r\na\r\n";  // the value's bytes hold what ends a line
  ASSERT_EQ(*codec->decode(first.substr(0, 6), replies), 0U);
  ASSERT_TRUE(codec->decode("$3\r\na\r\n\r\n$-1\r\n-LOADING please wait\r\n", replies).has_value());
  ASSERT_EQ(replies.size(), 3U);
  EXPECT_EQ(replies[0].value, "a\r\n");
  EXPECT_EQ(replies[1].values, 0U);
  EXPECT_EQ(replies[2].error, "LOADING");
}

TEST(LoadClientTest, NoticesAnswersThatBelongToOtherRequests) {
  for (const bool wrong_key : {false, true}) {
    std::uint64_t answered = 0;
    OneConnectionServer server([&](const std::vector<Bytes>& frames, Bytes& out) {
      for (const Bytes& frame : frames) {
        const Call call = *decode_call(without_length(frame));
        const bool wrong = ++answered == 50;
        encode_put_reply(out, call.sequence, call.request_id + (wrong && !wrong_key ? 1 : 0),
                         wrong && wrong_key ? ByteView("key0000000000000") : call.key);
      }
    });
    auto client = LoadClient::connect(small_load(server), ordered_codec);
    ASSERT_TRUE(client.has_value()) << client.error().to_string();
    const auto result = (*client)->preload();
    ASSERT_TRUE(result.has_value()) << result.error().to_string();
    EXPECT_EQ(result->operations, 100U);
    EXPECT_EQ(result->mismatches, 1U);
  }
}

TEST(LoadClientTest, NoticesValuesOfOtherKeysAndOfOtherLengths) {
  std::map<Bytes, Bytes> stored;
  std::uint64_t gets = 0;
  OneConnectionServer server([&](const std::vector<Bytes>& frames, Bytes& out) {
    for (const Bytes& frame : frames) {
      const Call call = *decode_call(without_length(frame));
      if (call.kind == CallKind::put) {
        stored[Bytes(call.key)] = call.value;
        encode_put_reply(out, call.sequence, call.request_id, call.key);
        continue;
      }
      Bytes value = stored.at(Bytes(call.key));
      ++gets;
      if (gets == 2) value.pop_back();
      if (gets == 3) value[3] ^= 1;
      encode_get_reply(out, call.sequence, call.request_id, call.key, gets == 4 ? nullptr : &value);
    }
  });
  auto client = LoadClient::connect(small_load(server), ordered_codec);
  ASSERT_TRUE(client.has_value()) << client.error().to_string();
  ASSERT_EQ((*client)->preload()->complaint(), "");
  EXPECT_EQ(stored.size(), 100U);
  const auto result = (*client)->run(Operation::get, milliseconds(20));
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  EXPECT_EQ(result->mismatches, 2U);
  EXPECT_EQ(result->absent, 1U);
}

TEST(LoadClientTest, CountsErrorsByTheirCodes) {
  std::uint64_t answered = 0;
  OneConnectionServer server([&](const std::vector<Bytes>& frames, Bytes& out) {
    for (const Bytes& frame : frames) {
      const Call call = *decode_call(without_length(frame));
      ++answered;
      if (answered <= 3)
        encode_error(out, call, static_cast<std::uint32_t>(Code::overloaded));
      else if (answered == 4)
        encode_error(out, call, 99);
      else
        encode_put_reply(out, call.sequence, call.request_id, call.key);
    }
  });
  auto client = LoadClient::connect(small_load(server), ordered_codec);
  ASSERT_TRUE(client.has_value()) << client.error().to_string();
  const auto result = (*client)->preload();
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  EXPECT_EQ(result->operations, 96U);
  EXPECT_EQ(result->mismatches, 0U);
  EXPECT_EQ(result->errors,
            (std::map<std::string, std::uint64_t>{{"overloaded", 3}, {"code 99", 1}}));
}

TEST(LoadClientTest, HandsBackTheNewestContextAndNeverPutsAKeyTwiceAtOnce) {
  std::map<Bytes, Bytes> newest;
  std::set<Bytes> being_put;
  std::uint64_t stale = 0;
  std::uint64_t twice = 0;
  std::uint64_t counter = 0;
  OneConnectionServer server([&](const std::vector<Bytes>& frames, Bytes& out) {
    for (const Bytes& frame : frames) {
      const Call call = *decode_call(without_length(frame));
      if (!being_put.insert(Bytes(call.key)).second) ++twice;
      if (context_of(frame) != newest[Bytes(call.key)]) ++stale;
    }
    for (const Bytes& frame : frames) {
      const Call call = *decode_call(without_length(frame));
      ++counter;  // of every length up to a thousand, so that places must grow
      const Bytes context = "context " + std::to_string(counter) + Bytes(counter % 1000, 'c');
      newest[Bytes(call.key)] = context;
      being_put.erase(Bytes(call.key));
      encode_put_reply_with_context(out, call, context);
    }
  });
  LoadSettings settings = small_load(server);
  settings.keys = 16;  // keys meet often
  settings.contexts = true;
  auto client = LoadClient::connect(settings, ordered_codec);
  ASSERT_TRUE(client.has_value()) << client.error().to_string();
  ASSERT_TRUE((*client)->preload().has_value());
  const auto result = (*client)->run(Operation::put, milliseconds(50));
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  EXPECT_GT(result->operations, 16U);
  EXPECT_EQ(stale, 0U);
  EXPECT_EQ(twice, 0U);
}

TEST(LoadClientTest, GivesUpOnSilence) {
  OneConnectionServer server([](const std::vector<Bytes>&, Bytes&) {});
  LoadSettings settings = small_load(server);
  settings.answer_timeout = milliseconds(50);
  auto client = LoadClient::connect(settings, ordered_codec);
  ASSERT_TRUE(client.has_value()) << client.error().to_string();
  const auto result = (*client)->preload();
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), Code::timed_out);
}

TEST(LoadClientTest, SaysWhatIsWrongWithItsSettings) {
  LoadSettings settings;
  EXPECT_EQ(LoadClient::connect(settings, ordered_codec).status().code(), Code::invalid);
  settings.addresses = {"localhost"};
  EXPECT_NE(LoadClient::connect(settings, ordered_codec).status().message().find("127.0.0.1:7480"),
            std::string::npos);
  settings.addresses = {"127.0.0.1:1"};
  settings.keys = 64;
  EXPECT_NE(LoadClient::connect(settings, ordered_codec).status().message().find("too few keys"),
            std::string::npos);
}

TEST(LatencyHistogramTest, QuantilesAreWithinItsPrecision) {
  LatencyHistogram histogram;
  EXPECT_EQ(histogram.quantile_us(0.5), 0);
  for (std::uint64_t i = 1; i <= 100'000; ++i) histogram.add(i * 1000);
  EXPECT_NEAR(histogram.quantile_us(0.5), 50'000, 50'000 * 0.02);
  EXPECT_NEAR(histogram.quantile_us(0.999), 99'900, 99'900 * 0.02);
  EXPECT_NEAR(histogram.quantile_us(1), 100'000, 100'000 * 0.02);
}

}  // namespace
}  // namespace ringwright::bench
