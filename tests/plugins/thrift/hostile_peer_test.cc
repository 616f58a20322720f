#include <gtest/gtest.h>

#include <random>

#include "engine/base/limits.h"
#include "plugins/thrift/peer_codec.h"
#include "tests/plugins/thrift/node_harness.h"

namespace ringwright::wire {
namespace {

void append(Bytes& batch, Timestamp stamp, const Message& message) {
  Bytes encoded;
  append_unguarded(encoded, stamp, message);
  peer::append_message(batch, encoded);
}

class HostilePeerTest : public ::testing::TestWithParam<std::uint32_t> {
 protected:
  static TestNode::Options options() {
    TestNode::Options options;
    options.shards = GetParam();
    return options;
  }
  static Bytes hello_of(const NodeIdentity& caller, const NodeId& target) {
    Bytes out;
    peer::encode_hello(out, {caller, target});
    return out;
  }
  // Of the second member to the node, which is the first.
  static Bytes hello_to(const TestNode& node) {
    return hello_of(node.map()->identity_of(1), node.map()->identity_of(0).node);
  }
  static Bytes batch_of(const std::vector<Message>& messages) {
    Bytes out;
    const std::size_t at = peer::begin_batch(out);
    for (const Message& message : messages) append(out, 5, message);
    peer::end_batch(out, at);
    return out;
  }
};
INSTANTIATE_TEST_SUITE_P(Shards, HostilePeerTest, ::testing::Values(1u, 2u));

TEST_P(HostilePeerTest, AMemberIsWelcomeAndHeard) {
  TestNode node(options());
  RawConnection member(node.peer_address());
  ASSERT_TRUE(member.send(hello_to(node)));
  const auto welcome = member.frame();
  ASSERT_TRUE(welcome.has_value());
  const auto identity = peer::decode_welcome(*welcome);
  ASSERT_TRUE(identity.has_value()) << identity.error().to_string();
  EXPECT_EQ(*identity, node.map()->identity_of(0));
  ReplicaRead read;
  for (int i = 0; i < 100; ++i) {
    read.operation = static_cast<OperationId>(i);
    read.key = "key" + std::to_string(i);
    ASSERT_TRUE(member.send(batch_of({read, Ping{}})));
  }
  ASSERT_TRUE(comes_true([&] { return node.peer_messages().size() == 200; }));
  for (const Envelope& envelope : node.peer_messages()) {
    EXPECT_EQ(envelope.source, NodeTransport::endpoint_of_member(1));
    EXPECT_EQ(envelope.stamp, 5u);
  }
}

// A full batch and then the largest message that is not cut into fragments.
TEST_P(HostilePeerTest, ALargeMessageBehindAnAlmostFullBatchArrives) {
  TestNode node(options());
  RawConnection member(node.peer_address());
  ASSERT_TRUE(member.send(hello_to(node)));
  ASSERT_TRUE(member.frame().has_value());
  ReplicaWrite small;
  small.record = Bytes(limits::peer_batch_bytes - 200, 's');
  ReplicaWrite large;
  large.record = Bytes(limits::frame_bytes_max - 200, 'l');
  while (message_bytes_bound(large) < limits::frame_bytes_max) large.record.push_back('l');
  ASSERT_EQ(message_bytes_bound(large), limits::frame_bytes_max);
  ASSERT_TRUE(member.send(batch_of({small, large})));
  EXPECT_TRUE(comes_true([&] { return node.peer_messages().size() == 2; }));
}

TEST_P(HostilePeerTest, EveryMismatchIsRefusedByNameOnBothSides) {
  TestNode node(options());
  Bystander bystander(node);
  const NodeIdentity sound = node.map()->identity_of(1);
  const NodeId target = node.map()->identity_of(0).node;
  struct Case {
    const char* reason;
    std::function<void(NodeIdentity&, NodeId&)> change;
  };
  const Case cases[] = {
      {"cluster", [](NodeIdentity& caller, NodeId&) { caller.cluster = "other"; }},
      {"protocol",
       [](NodeIdentity& caller, NodeId&) {
         caller.protocol_min = peer_protocol_max + 1, caller.protocol_max = 9;
       }},
      {"record format",
       [](NodeIdentity& caller, NodeId&) { caller.record_min = 2, caller.record_max = 9; }},
      {"ring", [](NodeIdentity& caller, NodeId&) { ++caller.ring_epoch; }},
      {"ring", [](NodeIdentity& caller, NodeId&) { ++caller.ring_hash; }},
      {"keyspace", [](NodeIdentity& caller, NodeId&) { ++caller.keyspaces[0].second; }},
      {"keyspace", [](NodeIdentity& caller, NodeId&) { caller.keyspaces.clear(); }},
      {"keyspace", [](NodeIdentity& caller, NodeId&) { caller.keyspaces.emplace_back("more", 1); }},
      {"node",
       [](NodeIdentity&, NodeId& wanted) {
         wanted = NodeId{9, 9};
       }},
      {"node",
       [](NodeIdentity& caller, NodeId&) {
         caller.node = NodeId{9, 9};
       }},
      {"node",
       [](NodeIdentity& caller, NodeId&) {
         caller.node = NodeId{7, 1};
       }},
  };
  for (const Case& each : cases) {
    NodeIdentity caller = sound;
    NodeId wanted = target;
    each.change(caller, wanted);
    RawConnection stranger(node.peer_address());
    ASSERT_TRUE(stranger.send(hello_of(caller, wanted)));
    const auto answer = stranger.frame();
    ASSERT_TRUE(answer.has_value()) << each.reason;
    const auto refusal = peer::decode_welcome(*answer);
    ASSERT_FALSE(refusal.has_value()) << each.reason;
    EXPECT_EQ(refusal.error().code(), Code::mismatch);
    EXPECT_TRUE(refusal.error().message().starts_with(std::string(each.reason) + ":"))
        << refusal.error().message();
    EXPECT_TRUE(stranger.is_closed());
  }
  EXPECT_TRUE(comes_true(
      [&] { return node.counter("ringwright_peers_refused_total") == std::size(cases); }));
  EXPECT_GT(node.events().count("peer_refused", "cluster"), 0u);
  EXPECT_TRUE(bystander.works());
  EXPECT_TRUE(node.peer_messages().empty());
}

TEST_P(HostilePeerTest, NothingCountsBeforeAHelloAndNothingButBatchesAfterIt) {
  TestNode node(options());
  Bystander bystander(node);
  Bytes damaged = batch_of({Ping{}});
  damaged[damaged.size() - 3] ^= 1;
  const Bytes before[] = {
      batch_of({Ping{}}),
      get_frame("key", 1),
      hello_frame(true),
      framed("garbage"),
      Bytes("\xff\xff\xff\xff", 4),
      Bytes("\x00\x20\x00\x00", 4),  // a hello of two mebibytes
      Bytes(5, '\0'),
  };
  for (const Bytes& bytes : before) {
    RawConnection hostile(node.peer_address());
    ASSERT_TRUE(hostile.send(bytes));
    EXPECT_TRUE(hostile.is_closed()) << to_hex(bytes);
  }
  const Bytes after[] = {hello_to(node),
                         damaged,
                         framed("garbage"),
                         get_frame("key", 1),
                         batch_of({}).substr(0, 5) + Bytes(60, 'x'),
                         Bytes("\xff\xff\xff\xff", 4)};
  for (const Bytes& bytes : after) {
    RawConnection hostile(node.peer_address());
    ASSERT_TRUE(hostile.send(hello_to(node)));
    ASSERT_TRUE(hostile.frame().has_value());
    ASSERT_TRUE(hostile.send(bytes + batch_of({Ping{}})));
    hostile.send(Bytes(200, 'x'));
    EXPECT_TRUE(hostile.is_closed()) << to_hex(bytes);
  }
  EXPECT_TRUE(node.peer_messages().empty());
  EXPECT_GT(node.events().count("peer_message_refused"), 0u);
  EXPECT_TRUE(bystander.works());
}

// Whoever is refused and goes on sending without reading takes no memory.
TEST_P(HostilePeerTest, WhoIsRefusedIsNotReadAnyFurther) {
  TestNode node(options());
  Bystander bystander(node);
  NodeIdentity stranger = node.map()->identity_of(1);
  stranger.cluster = Bytes(900'000, 'c');
  RawConnection hostile(node.peer_address(), 4096);
  const std::size_t before = resident_bytes();
  hostile.send(hello_of(stranger, node.map()->identity_of(0).node));
  const Bytes more(1024 * 1024, 'x');
  for (int i = 0; i < 200; ++i) hostile.send_some(more);
  EXPECT_LT(resident_bytes() - before, 64u * 1024 * 1024);
  EXPECT_TRUE(bystander.works());
}

TEST_P(HostilePeerTest, RandomBytesHarmNobody) {
  TestNode node(options());
  Bystander bystander(node);
  std::mt19937_64 random(99);
  for (int round = 0; round < 200; ++round) {
    RawConnection hostile(node.peer_address());
    Bytes bytes = round % 3 == 0 ? hello_to(node) : Bytes();
    Bytes noise;
    for (std::size_t i = random() % 500 + 1; i > 0; --i)
      noise.push_back(static_cast<char>(random()));
    bytes += round % 2 == 0 ? framed(noise) : noise;
    hostile.send(bytes);
    ASSERT_TRUE(bystander.works());
  }
  EXPECT_TRUE(node.peer_messages().empty());
}

TEST_P(HostilePeerTest, ASilentOneIsCutOffAtTheHelloDeadline) {
  TestNode node(options());
  RawConnection silent(node.peer_address());
  RawConnection half(node.peer_address());
  ASSERT_TRUE(half.send(ByteView(hello_to(node)).substr(0, 30)));
  EXPECT_TRUE(silent.is_closed());
  EXPECT_TRUE(half.is_closed());
}

// The node's own way to a member: what answers there is not the member, or answers nonsense.
TEST_P(HostilePeerTest, TellsWhyAnAnswererIsNotTheMember) {
  auto options = HostilePeerTest::options();
  const auto listener = listen_at(*SocketAddress::resolve("127.0.0.1:0"));
  ASSERT_TRUE(listener.has_value());
  options.map->addresses[1].peer = SocketAddress::of_socket(*listener)->text();
  TestNode node(options);
  const auto accepted = [&] {
    Descriptor taken;
    EXPECT_TRUE(comes_true([&] {
      node.send({0, NodeTransport::endpoint_of_member(1), 0, Ping{}});
      taken = accept_from(*listener);
      return taken.is_open();
    }));
    pollfd wanted{taken.number(), POLLIN, 0};
    EXPECT_GT(::poll(&wanted, 1, patience_ms), 0);
    return RawConnection(std::move(taken));
  };
  {
    auto other = accepted();
    NodeIdentity identity = node.map()->identity_of(2);
    Bytes welcome;
    peer::encode_welcome(welcome, identity, 1);
    ASSERT_TRUE(other.send(welcome));
    EXPECT_TRUE(comes_true([&] { return node.events().count("peer_lost", "node: ") == 1; }));
  }
  {
    // Told once until it is back.
    auto member = accepted();
    Bytes welcome;
    peer::encode_welcome(welcome, node.map()->identity_of(1), 1);
    ASSERT_TRUE(member.send(welcome));
    EXPECT_TRUE(comes_true([&] { return node.events().count("peer_connected") == 1; }));
    // It says something more, which it must not.
    ASSERT_TRUE(member.send(welcome));
    EXPECT_TRUE(comes_true([&] { return node.events().count("peer_lost") == 2; }));
  }
  EXPECT_GE(node.unreachable(), 2u);
}

// The codec of batches: no single flipped bit is taken for another message.
TEST(PeerCodecTest, NoFlippedBitAndNoCutIsTakenForAMessage) {
  PutRequest put;
  put.key = "key";
  put.value = "value";
  put.request = {1, 2, 3};
  ReplicaWrite write;
  write.record = "record";
  const std::vector<Message> messages = {put, write, Ping{}};
  Bytes frame;
  const std::size_t at = peer::begin_batch(frame);
  for (const Message& message : messages) append(frame, 77, message);
  peer::end_batch(frame, at);
  const Bytes body = frame.substr(4);
  const auto read_all = [&](ByteView bytes) {
    std::vector<Message> read;
    peer::BatchReader reader(bytes);
    bool is_sound = reader.is_batch();
    while (is_sound && !reader.at_end()) {
      auto next = reader.next();
      is_sound = next.has_value();
      if (!is_sound) break;
      EXPECT_EQ(next->stamp, 77u);
      read.push_back(std::move(next->message));
    }
    return std::pair(is_sound, read);
  };
  EXPECT_EQ(read_all(body).second, messages);
  for (std::size_t size = 0; size < body.size(); ++size)
    EXPECT_FALSE(read_all(ByteView(body).substr(0, size)).first) << size;
  EXPECT_FALSE(read_all(body + "x").first);
  for (std::size_t bit = 0; bit < body.size() * 8; ++bit) {
    Bytes flipped = body;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const auto [is_sound, read] = read_all(flipped);
    // Refused, or one that no receiver looks at: the number of the call.
    if (is_sound) {
      EXPECT_EQ(read, messages) << bit;
    }
    for (std::size_t i = 0; i < read.size(); ++i) EXPECT_EQ(read[i], messages[i]) << bit;
  }
}

}  // namespace
}  // namespace ringwright::wire
