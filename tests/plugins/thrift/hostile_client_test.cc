#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <random>
#include <set>

#include "engine/base/limits.h"
#include "tests/plugins/thrift/node_harness.h"

namespace ringwright::wire {
namespace {

constexpr std::size_t mebibyte = 1024 * 1024;

// With one shard and with two.
class HostileClientTest : public ::testing::TestWithParam<std::uint32_t> {
 protected:
  static TestNode::Options options() {
    TestNode::Options options;
    options.shards = GetParam();
    return options;
  }
};
INSTANTIATE_TEST_SUITE_P(Shards, HostileClientTest, ::testing::Values(1u, 2u));

Bytes message(binary::MessageType type, ByteView method, ByteView body,
              std::uint32_t sequence = 1) {
  Bytes out;
  binary::put_message_head(out, type, method, sequence);
  out += body;
  return framed(out);
}
Bytes call(ByteView method, ByteView body) {
  return message(binary::MessageType::call, method, body);
}
Bytes number(std::uint32_t value) {
  Bytes out;
  binary::put_i32(out, value);
  return out;
}

// An answer that is made in the wake-up that looks for passed deadlines is no unread one.
TEST(DeadlineTest, AnAnswerOfThisWakeUpIsNotUnread) {
  TestNode::Options options;
  options.has_threads = false;
  TestNode node(options);
  RawConnection client(node.client_address());
  node.turn(0, make_system_clock()->now() + seconds(5));
  // Longer than the interval at which they are looked for.
  EXPECT_FALSE(client.has_news(300));
  ASSERT_TRUE(client.send(hello_frame(false)));
  std::atomic<bool> is_answered = false;
  std::thread reader([&] {
    const auto hello = client.frame();
    EXPECT_TRUE(hello.has_value()) << "the connection was closed";
    is_answered = true;
  });
  EXPECT_TRUE(comes_true([&] {
    node.turn();
    return is_answered.load();
  }));
  reader.join();
}

// Many more requests than a connection may have under way, in one write: what was put off goes on
// as soon as there is room, and waits for no deadline of somebody else.
TEST(PipelineTest, GoesOnByItselfWhenThereIsRoomAgain) {
  constexpr int requests = 100'000;
  TestNode::Options options;
  options.has_threads = false;
  TestNode node(options);
  RawConnection client(node.client_address());
  Bytes out;
  for (int i = 0; i < requests; ++i)
    out += get_frame("key" + std::to_string(i), i + 1, static_cast<std::uint32_t>(i));
  std::thread writer([&] { EXPECT_TRUE(client.send(out)); });
  std::atomic<bool> is_read = false;
  std::thread reader([&] {
    for (int i = 0; i < requests; ++i) {
      const auto reply = read_reply(client.frame(), *node.map()->ring);
      ASSERT_TRUE(reply.has_value()) << i;
      ASSERT_EQ(reply->sequence, static_cast<std::uint32_t>(i));
      ASSERT_EQ(reply->body.request_id, i + 1);
      ASSERT_EQ(reply->body.reply.key, "key" + std::to_string(i));
    }
    is_read = true;
  });
  const auto began = std::chrono::steady_clock::now();
  std::size_t came = 0;
  while (came < requests) {
    const std::size_t now = node.turn(0, make_system_clock()->now() + seconds(5));
    EXPECT_LE(now, limits::connection_calls_max);
    came += now;
  }
  // A wait of a quarter of a second for each thousand would take more than twenty seconds.
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
  EXPECT_TRUE(comes_true([&] {
    node.turn();
    return is_read.load();
  }));
  writer.join();
  reader.join();
  EXPECT_EQ(came, static_cast<std::size_t>(requests));
}

TEST_P(HostileClientTest, RandomBytesEndTheirConnectionAndNothingElse) {
  TestNode node(options());
  Bystander bystander(node);
  std::mt19937_64 random(4711);
  for (int round = 0; round < 200; ++round) {
    RawConnection hostile(node.client_address());
    Bytes bytes;
    const std::size_t size = 1 + random() % 3000;
    for (std::size_t i = 0; i < size; ++i) bytes.push_back(static_cast<char>(random()));
    // Every other one in a frame of its own, so that its first bytes matter.
    if (round % 2 == 0) {
      bytes[0] = round % 4 == 0 ? '\x80' : '\x82';
      bytes = framed(bytes);
    }
    hostile.send(bytes);
    ASSERT_TRUE(bystander.works()) << round;
  }
}

TEST_P(HostileClientTest, AFrameAboveTheLimitEndsItsConnection) {
  TestNode node(options());
  Bystander bystander(node);
  for (const std::uint32_t size :
       {0u, static_cast<std::uint32_t>(limits::frame_bytes_max) + 1, 0x7fffffffu, 0xffffffffu}) {
    RawConnection hostile(node.client_address());
    ASSERT_TRUE(hostile.send(number(size) + "abcd"));
    EXPECT_TRUE(hostile.is_closed()) << size;
    EXPECT_TRUE(bystander.works());
  }
  EXPECT_TRUE(comes_true([&] { return node.ended("frame_too_large") == 4; }));
}

// Eight bytes make nobody allocate gigabytes; every such call is answered or ends its connection.
TEST_P(HostileClientTest, DeclaredSizesTakeNoMemory) {
  TestNode node(options());
  Bystander bystander(node);
  ASSERT_TRUE(bystander.works());
  std::vector<Bytes> frames;
  const Bytes field_1_struct("\x0c\x00\x01", 3);
  for (const std::uint32_t size : {0x7fffffffu, 0xffffffffu, 1u << 29, (1u << 29) - 1, 1u << 26,
                                   1u << 16, 4097u, 0x80000000u}) {
    // A message name, a string field, lists of every sort, known and unknown, a map.
    frames.push_back(framed(Bytes("\x80\x01\x00\x01", 4) + number(size)));
    frames.push_back(call("get", field_1_struct + Bytes("\x0b\x00\x02", 3) + number(size)));
    for (const char type : {'\x02', '\x0a', '\x0b', '\x0c', '\x0f'}) {
      for (const char* method : {"get_many", "put_many", "get", "hello", "topology"})
        for (const char id : {'\x02', '\x63'})
          frames.push_back(
              call(method, field_1_struct + Bytes("\x0f\x00", 2) + id + type + number(size)));
      frames.push_back(
          call("put_many", field_1_struct + Bytes("\x0d\x00\x63", 3) + type + type + number(size)));
    }
  }
  // The compact protocol: varints.
  for (const char* const varint : {"\xff\xff\xff\xff\x07", "\x80\x80\x80\x20"}) {
    for (const char* method : {"get_many", "put_many"})
      for (const char type : {'\xf8', '\xfc', '\xf6', '\xf9'})
        frames.push_back(framed(Bytes("\x82\x21\x01", 3) + static_cast<char>(8) + method + "\x1c" +
                                "\x29" + type + varint));
    frames.push_back(framed(Bytes("\x82\x21\x01\x03get\x1c\x28", 9) + varint));
  }
  reset_peak_memory();
  const std::size_t before = peak_bytes();
  for (const Bytes& frame : frames) {
    RawConnection hostile(node.client_address());
    ASSERT_TRUE(hostile.send(frame));
    // An answer, or the end.
    ASSERT_TRUE(hostile.has_news(patience_ms)) << to_hex(frame);
  }
  EXPECT_TRUE(bystander.works());
  EXPECT_LT(peak_bytes() - before, 64 * mebibyte);
  EXPECT_EQ(node.counter("ringwright_requests_total{op=\"get_many\",outcome=\"ok\"}"), 0u);
}

TEST_P(HostileClientTest, DeepNestingIsNotFollowed) {
  TestNode node(options());
  Bystander bystander(node);
  for (const std::size_t depth : {std::size_t{20}, std::size_t{1000}, std::size_t{4'000'000}}) {
    Bytes structs;
    Bytes lists("\x0f\x00\x09", 3);
    Bytes compact("\x82\x21\x01\x03get", 7);
    for (std::size_t i = 0; i < depth; ++i) {
      structs += Bytes("\x0c\x00\x09", 3);
      lists += Bytes("\x0f\x00\x00\x00\x01", depth > 3'000'000 ? 0 : 5);
      compact += '\x9c';
    }
    for (const Bytes& frame : {call("get", structs), call("topology", lists), framed(compact)}) {
      RawConnection hostile(node.client_address());
      ASSERT_TRUE(hostile.send(frame));
      EXPECT_TRUE(hostile.has_news(patience_ms));
    }
    EXPECT_TRUE(bystander.works());
  }
}

TEST_P(HostileClientTest, HalfAFrameAndSilenceEndAtTheDeadline) {
  auto options = HostileClientTest::options();
  options.bounds.frame_deadline = milliseconds(300);
  TestNode node(options);
  Bystander bystander(node);
  RawConnection head(node.client_address());
  RawConnection half(node.client_address());
  RawConnection idle(node.client_address());
  ASSERT_TRUE(head.send(Bytes("\x00\x00", 2)));
  const Bytes frame = get_frame("key", 1);
  ASSERT_TRUE(half.send(ByteView(frame).substr(0, frame.size() / 2)));
  EXPECT_TRUE(head.is_closed());
  EXPECT_TRUE(half.is_closed());
  EXPECT_TRUE(comes_true([&] { return node.ended("frame_late") == 2; }));
  EXPECT_FALSE(idle.has_news());
  EXPECT_TRUE(bystander.works());
}

TEST_P(HostileClientTest, SilenceEndsAtTheIdleDeadline) {
  auto options = HostileClientTest::options();
  options.bounds.idle_deadline = milliseconds(300);
  // A request under way is no silence.
  options.answer = [](const Message& request) -> std::optional<ClientReply> {
    const auto* get = std::get_if<GetRequest>(&request);
    if (get != nullptr && get->key == "never") return std::nullopt;
    return answer_everything(request);
  };
  TestNode node(options);
  RawConnection idle(node.client_address());
  RawConnection waiting(node.client_address());
  ASSERT_TRUE(waiting.send(get_frame("never", 1)));
  EXPECT_TRUE(idle.is_closed());
  EXPECT_TRUE(comes_true([&] { return node.ended("idle") == 1; }));
  EXPECT_FALSE(waiting.has_news(100));
}

TEST_P(HostileClientTest, OneByteAtATimeWorks) {
  TestNode node(options());
  RawConnection client(node.client_address());
  const Bytes frame = put_frame("key", "value", 1) + get_frame("key", 2);
  for (const char byte : frame) ASSERT_TRUE(client.send(ByteView(&byte, 1)));
  for (const std::int64_t id : {1, 2}) {
    const auto reply = read_reply(client.frame(), *node.map()->ring);
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->body.request_id, id);
  }
}

// Values of a megabyte are asked for and never read.
TEST_P(HostileClientTest, AClientThatReadsNothingTakesBoundedMemoryAndEnds) {
  auto options = HostileClientTest::options();
  options.bounds.unread_deadline = seconds(2);
  options.answer = [](const Message& request) {
    auto reply = answer_everything(request);
    const auto* get = std::get_if<GetRequest>(&request);
    if (get != nullptr && get->key.starts_with("big")) reply->siblings[0].value.resize(mebibyte);
    return reply;
  };
  TestNode node(options);
  Bystander bystander(node);
  ASSERT_TRUE(bystander.works());
  const std::size_t before = resident_bytes();
  RawConnection hostile(node.client_address(), 4096);
  Bytes out;
  for (int i = 0; i < 20'000; ++i) out += get_frame("big" + std::to_string(i), i);
  std::size_t sent = 0;
  std::size_t most = 0;
  EXPECT_TRUE(comes_true([&] {
    sent += hostile.send_some(ByteView(out).substr(sent));
    EXPECT_TRUE(bystander.works());
    most = std::max(most, resident_bytes());
    return node.ended("answers_unread") == 1;
  }));
  // Twice what a connection's answers may take, for a buffer that grows is copied; and what is on
  // the way between shards, for each call one answer at most.
  const std::size_t on_the_way = GetParam() == 1 ? 0 : limits::connection_calls_max * mebibyte;
  if (!is_memory_measurable) return;
  EXPECT_LT(most - before, 2 * limits::connection_answers_bytes_max + on_the_way + 64 * mebibyte);
}

// Those that hold much wait for each other; who asks for little goes on.
TEST_P(HostileClientTest, HalfFramesOfManyHoldUpNobodyElse) {
  auto options = HostileClientTest::options();
  options.bounds.frame_deadline = seconds(3);
  TestNode node(options);
  Bystander bystander(node);
  std::vector<std::unique_ptr<RawConnection>> hostile;
  const std::size_t size = limits::frame_bytes_max - 1;
  const Bytes half = number(static_cast<std::uint32_t>(size)) + Bytes(size - 1, 'x');
  const std::size_t wanted = GetParam() * limits::connections_bytes_max / size + 2;
  for (std::size_t i = 0; i < wanted; ++i) {
    hostile.push_back(std::make_unique<RawConnection>(node.client_address()));
    // More than fits before the deadlines may be cut off, as may who comes last.
    hostile.back()->send(ByteView(half).substr(0, half.size() - 1));
    ASSERT_TRUE(bystander.works());
  }
  RawConnection late(node.client_address());
  ASSERT_TRUE(late.send(get_frame("late", 1)));
  EXPECT_TRUE(late.frame().has_value());
  for (const auto& connection : hostile) EXPECT_TRUE(connection->is_closed());
  EXPECT_TRUE(bystander.works());
  EXPECT_TRUE(comes_true([&] { return node.counter("ringwright_client_bytes_in_flight") == 0; }));
}

TEST_P(HostileClientTest, FiveThousandConnectionsAtOnceTakeLittleMemory) {
  constexpr std::size_t wanted = 5000;
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit before = limit;
  limit.rlim_cur = std::max<rlim_t>(limit.rlim_cur, 2 * wanted + 1000);
  limit.rlim_max = std::max(limit.rlim_max, limit.rlim_cur);
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
    GTEST_SKIP() << "the limit of open files cannot be raised";
  {
    TestNode node(options());
    Bystander bystander(node);
    ASSERT_TRUE(bystander.works());
    const std::size_t memory = resident_bytes();
    std::vector<std::unique_ptr<RawConnection>> idle;
    for (std::size_t i = 0; i < wanted; ++i) {
      idle.push_back(std::make_unique<RawConnection>(node.client_address()));
      ASSERT_TRUE(idle.back()->is_connected()) << i;
      ASSERT_TRUE(i % 100 != 0 || bystander.works());
    }
    EXPECT_TRUE(
        comes_true([&] { return node.counter("ringwright_client_connections") == wanted + 1; }));
    EXPECT_LT((std::max(resident_bytes(), memory) - memory) / wanted, 8 * 1024u)
        << "bytes for each connection";
    // All of them at once.
    for (const auto& connection : idle) ASSERT_TRUE(connection->send(get_frame("key", 1)));
    for (const auto& connection : idle) ASSERT_TRUE(connection->frame().has_value());
    EXPECT_TRUE(bystander.works());
    idle.clear();
    EXPECT_TRUE(comes_true([&] { return node.counter("ringwright_client_connections") == 1; }));
    EXPECT_TRUE(bystander.works());
  }
  ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST_P(HostileClientTest, ConnectionsAreSharedOutAndSlotsUsedAgain) {
  TestNode node(options());
  for (int round = 0; round < 20; ++round) {
    std::vector<std::unique_ptr<RawConnection>> clients;
    for (int i = 0; i < 50; ++i)
      clients.push_back(std::make_unique<RawConnection>(node.client_address()));
    for (const auto& client : clients) ASSERT_TRUE(client->send(get_frame("key", round)));
    for (const auto& client : clients) {
      const auto reply = read_reply(client->frame(), *node.map()->ring);
      ASSERT_TRUE(reply.has_value());
      ASSERT_EQ(reply->body.request_id, round);
    }
  }
}

TEST_P(HostileClientTest, WhatIsNoCallOfTheServiceIsToldSo) {
  TestNode node(options());
  RawConnection client(node.client_address());
  ASSERT_TRUE(client.send(call("drop_all_tables", Bytes(1, '\0')) + get_frame("key", 2)));
  const auto unknown = read_reply(client.frame(), *node.map()->ring);
  ASSERT_TRUE(unknown.has_value());
  EXPECT_EQ(unknown->type, binary::MessageType::exception);
  EXPECT_EQ(unknown->method, "drop_all_tables");
  // The connection goes on.
  const auto reply = read_reply(client.frame(), *node.map()->ring);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->body.request_id, 2);
  for (const auto type :
       {binary::MessageType::reply, binary::MessageType::exception, binary::MessageType::oneway}) {
    RawConnection hostile(node.client_address());
    ASSERT_TRUE(hostile.send(message(type, "get", ByteView("\0", 1))));
    EXPECT_TRUE(hostile.is_closed());
  }
  // The protocol of peers is none of clients.
  RawConnection peer(node.client_address());
  Bytes hello;
  peer::encode_hello(hello, {node.map()->identity_of(1), node.map()->identity_of(0).node});
  ASSERT_TRUE(peer.send(hello));
  EXPECT_TRUE(peer.has_news(patience_ms));
  EXPECT_EQ(node.received(), 1u);
}

TEST_P(HostileClientTest, EveryCallOfAPipelineIsAnsweredOnceAndInOrder) {
  constexpr int requests = 10'000;
  TestNode node(options());
  for (const bool unordered : {false, true}) {
    RawConnection client(node.client_address());
    Bytes out;
    if (unordered) {
      ASSERT_TRUE(client.send(hello_frame(true)));
      ASSERT_TRUE(client.frame().has_value());
    }
    for (int i = 0; i < requests; ++i)
      out += i % 3 == 0 ? put_frame("key" + std::to_string(i), "v", i, static_cast<unsigned>(i))
                        : get_frame("key" + std::to_string(i), i, static_cast<unsigned>(i));
    std::thread writer([&] { EXPECT_TRUE(client.send(out)); });
    std::set<std::uint32_t> seen;
    for (int i = 0; i < requests; ++i) {
      const auto reply = read_reply(client.frame(), *node.map()->ring);
      ASSERT_TRUE(reply.has_value()) << i;
      ASSERT_TRUE(unordered || reply->sequence == static_cast<std::uint32_t>(i));
      ASSERT_TRUE(seen.insert(reply->sequence).second);
      ASSERT_EQ(reply->body.reply.key, "key" + std::to_string(reply->sequence));
      ASSERT_EQ(reply->body.request_id, reply->sequence);
    }
    writer.join();
    EXPECT_FALSE(client.has_news(20));
  }
}

// What was asked over a connection that has ended is answered to nobody else.
TEST_P(HostileClientTest, LateAnswersReachNobodyElse) {
  auto options = HostileClientTest::options();
  std::mutex mutex;
  std::vector<ClientReply> late;
  options.answer = [&](const Message& request) -> std::optional<ClientReply> {
    auto reply = answer_everything(request);
    if (!reply || !reply->key.starts_with("late")) return reply;
    const std::lock_guard lock(mutex);
    late.push_back(*reply);
    return std::nullopt;
  };
  std::vector<Endpoint> sources;
  TestNode node(options);
  for (int round = 0; round < 20; ++round) {
    {
      RawConnection gone(node.client_address());
      Bytes out;
      for (int i = 0; i < 100; ++i) out += get_frame("late" + std::to_string(i), i + 1000);
      ASSERT_TRUE(gone.send(out));
      ASSERT_TRUE(comes_true([&] {
        const std::lock_guard lock(mutex);
        return late.size() == 100u * (static_cast<unsigned>(round) + 1);
      }));
    }
    ASSERT_TRUE(comes_true([&] { return node.counter("ringwright_client_connections") == 0; }));
    RawConnection next(node.client_address());
    ASSERT_TRUE(next.send(get_frame("key", round)));
    const auto reply = read_reply(next.frame(), *node.map()->ring);
    ASSERT_TRUE(reply.has_value());
    ASSERT_EQ(reply->body.request_id, round);
    {
      const std::lock_guard lock(mutex);
      for (const ClientReply& each : late)
        for (Endpoint slot = 0; slot < 3; ++slot) node.send({1, 0x80000000 | slot, 0, each});
    }
    ASSERT_TRUE(next.send(get_frame("end", 7777)));
    const auto end = read_reply(next.frame(), *node.map()->ring);
    ASSERT_TRUE(end.has_value());
    ASSERT_EQ(end->body.request_id, 7777);
  }
}

// A connection that ends in the middle of its requests.
TEST_P(HostileClientTest, EndingInTheMiddleOfRequestsHarmsNobody) {
  TestNode node(options());
  Bystander bystander(node);
  Bytes out;
  for (int i = 0; i < 1000; ++i) out += put_frame("key" + std::to_string(i), Bytes(500, 'v'), i);
  std::mt19937 random(5);
  for (int round = 0; round < 100; ++round) {
    RawConnection client(node.client_address());
    client.send_some(ByteView(out).substr(0, random() % out.size()));
    if (round % 2 == 0) {
      const linger reset{1, 0};
      ::setsockopt(client.number(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    }
    client.close();
    ASSERT_TRUE(bystander.works());
  }
  EXPECT_TRUE(comes_true([&] {
    return node.counter("ringwright_client_connections") == 1 &&
           node.counter("ringwright_client_bytes_in_flight") == 0;
  }));
}

TEST_P(HostileClientTest, WorksAgainWhenThereAreDescriptors) {
  if (is_address_sanitized) GTEST_SKIP() << "the sanitizer works only while descriptors are left";
  TestNode node(options());
  Bystander bystander(node);
  ASSERT_TRUE(bystander.works());
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  // These descriptors exist before there are no more.
  std::vector<Descriptor> sockets;
  for (int i = 0; i < 20; ++i) sockets.emplace_back(::socket(AF_INET, SOCK_STREAM, 0));
  rlimit low = limit;
  low.rlim_cur = static_cast<rlim_t>(sockets.back().number()) + 1;
  std::vector<Descriptor> fillers;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  for (;;) {
    Descriptor filler(::dup(0));
    if (!filler.is_open()) break;
    fillers.push_back(std::move(filler));
  }
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    const SocketAddress& to = i % 2 == 0 ? node.client_address() : node.peer_address();
    ASSERT_EQ(::connect(sockets[i].number(), to.raw(), to.size()), 0);
  }
  EXPECT_TRUE(comes_true([&] { return node.events().count("descriptors_exhausted") > 0; }));
  EXPECT_TRUE(bystander.works());
  // It waits rather than to try again without a pause.
  rusage began{};
  ::getrusage(RUSAGE_SELF, &began);
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  rusage ended{};
  ::getrusage(RUSAGE_SELF, &ended);
  const auto cpu_ms = [](const rusage& usage) {
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
  };
  EXPECT_LT(cpu_ms(ended) - cpu_ms(began), 250);
  fillers.clear();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  RawConnection waited(std::move(sockets[0]));
  ASSERT_TRUE(waited.send(get_frame("key", 1)));
  EXPECT_TRUE(waited.frame().has_value());
  EXPECT_TRUE(bystander.works());
}

// The other shard stands still: what it has no room for is refused, not lost.
TEST(MailboxTest, RequestsThatAShardHasNoRoomForAreRefused) {
  TestNode::Options options;
  options.shards = 2;
  options.has_threads = false;
  TestNode node(options);
  Bytes key;
  for (int i = 0; key.empty(); ++i) {
    GetRequest request;
    request.key = "key" + std::to_string(i);
    if (shard_of(request, 2) == 1) key = request.key;
  }
  Bytes out;
  for (std::size_t i = 0; i < limits::connection_calls_max; ++i) out += get_frame(key, 5);
  const std::size_t connections = limits::mailbox_messages_max / limits::connection_calls_max + 1;
  std::vector<std::unique_ptr<RawConnection>> clients;
  for (std::size_t i = 0; i < connections; ++i) {
    // Shard 0 takes it, for nobody else looks.
    clients.push_back(std::make_unique<RawConnection>(node.client_address()));
    std::thread writer([&] { EXPECT_TRUE(clients.back()->send(out)); });
    writer.join();
    node.turn();
    node.turn();
  }
  EXPECT_TRUE(comes_true([&] {
    node.turn();
    return clients.back()->has_news();
  }));
  const auto refused = read_reply(clients.back()->frame(), *node.map()->ring);
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->body.request_id, 5);
  EXPECT_EQ(refused->body.reply.outcome, Outcome::failed);
  EXPECT_EQ(refused->body.reply.code, Code::overloaded);
  EXPECT_EQ(refused->body.reply.key, key);
}

}  // namespace
}  // namespace ringwright::wire
