#include "plugins/thrift/client_transport.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "tests/plugins/thrift/node_harness.h"

namespace ringwright::wire {
namespace {

// A client's end against a member that the test plays.
class ClientTransportTest : public ::testing::Test {
 protected:
  ClientTransportTest()
      : map_(test_map(1)),
        listener_(std::move(*listen_at(*SocketAddress::resolve("127.0.0.1:0")))),
        transport_(map_, {*SocketAddress::of_socket(listener_)}, clock_) {}

  void ask(ByteView key, OperationId operation, Nanoseconds timeout = seconds(20)) {
    GetRequest get;
    get.operation = operation;
    get.keyspace = "default";
    get.key = key;
    get.timeout = timeout;
    std::vector<Envelope> envelopes;
    envelopes.push_back({ClientTransport::own_endpoint, 1, 0, std::move(get)});
    transport_.send(envelopes);
  }
  void turn() {
    transport_.poll(clock_->now() + milliseconds(5),
                    {[&](Envelope envelope) {
                       if (auto* reply = std::get_if<ClientReply>(&envelope.message))
                         replies_.push_back(std::move(*reply));
                     },
                     [&](Endpoint) { ++unreachable_; },
                     [&](OperationId operation) { unsent_.push_back(operation); }});
  }
  bool turns_until(const std::function<bool()>& condition) {
    return comes_true([&] {
      turn();
      return condition();
    });
  }
  // The connection that the client makes, with its hello answered.
  std::unique_ptr<RawConnection> accept(const std::string& cluster = "lab", bool unordered = true) {
    Descriptor taken;
    EXPECT_TRUE(turns_until([&] {
      taken = accept_from(listener_);
      return taken.is_open();
    }));
    const int flags = ::fcntl(taken.number(), F_GETFL);
    ::fcntl(taken.number(), F_SETFL, flags & ~O_NONBLOCK);
    auto member = std::make_unique<RawConnection>(std::move(taken));
    EXPECT_TRUE(turns_until([&] { return member->has_news(); }));
    EXPECT_TRUE(member->frame().has_value());
    Bytes out;
    generated::encode_hello_reply(out, Protocol::binary, UINT32_MAX,
                                  {1, cluster, "node1", "1", 15, unordered});
    EXPECT_TRUE(member->send(out));
    return member;
  }
  struct Asked {
    std::uint32_t sequence = 0;
    GetCall call;
  };
  Asked asked(RawConnection& member) {
    Asked asked;
    EXPECT_TRUE(turns_until([&] { return member.has_news(); }));
    const auto frame = member.frame();
    EXPECT_TRUE(frame.has_value());
    if (!frame) return asked;
    binary::Reader in(*frame);
    asked.sequence = binary::take_message_head(in).sequence;
    Status problem;
    EXPECT_TRUE(fast::read_get(in, asked.call, problem));
    return asked;
  }
  Bytes answer(const Asked& to, std::int64_t request_id) {
    ClientReply reply;
    reply.key = to.call.request.key;
    reply.coordinator = NodeId{7, 1};
    Bytes out;
    fast::write_get_reply(out, to.sequence, request_id, reply, *map_->ring);
    return out;
  }

  std::shared_ptr<Clock> clock_ = make_system_clock();
  std::shared_ptr<ClusterMap> map_;
  Descriptor listener_;
  ClientTransport transport_;
  std::vector<ClientReply> replies_;
  std::vector<OperationId> unsent_;
  int unreachable_ = 0;
};

TEST_F(ClientTransportTest, MatchesAnswersInAnyOrder) {
  ask("a", 1);
  ask("b", 2);
  const auto member = accept();
  const Asked first = asked(*member);
  const Asked second = asked(*member);
  ASSERT_TRUE(member->send(answer(second, second.call.request_id)));
  ASSERT_TRUE(member->send(answer(first, first.call.request_id)));
  ASSERT_TRUE(turns_until([&] { return replies_.size() == 2; }));
  EXPECT_EQ(replies_[0].operation, 2u);
  EXPECT_EQ(replies_[0].key, "b");
  EXPECT_EQ(replies_[1].operation, 1u);
  EXPECT_EQ(unreachable_, 0);
}

// Whoever answers what was not asked is believed nothing more, and the next call goes to a fresh
// connection.
TEST_F(ClientTransportTest, AWrongAnswerEndsTheConnection) {
  struct Case {
    const char* what;
    std::function<Bytes(const Asked&)> bytes;
    std::size_t replies;
  };
  const Case cases[] = {
      {"another request id", [&](const Asked& to) { return answer(to, to.call.request_id + 1); },
       0},
      {"another sequence number",
       [&](Asked to) {
         ++to.sequence;
         return answer(to, to.call.request_id);
       },
       0},
      {"another use of the slot",
       [&](Asked to) {
         to.sequence += 1u << 20;
         return answer(to, to.call.request_id);
       },
       0},
      {"twice",
       [&](const Asked& to) {
         return answer(to, to.call.request_id) + answer(to, to.call.request_id);
       },
       1},
      {"of another method",
       [&](const Asked& to) {
         Bytes out;
         fast::write_put_reply(out, Method::put, to.sequence, to.call.request_id, {}, *map_->ring);
         return out;
       },
       0},
      {"garbage", [](const Asked&) { return framed("garbage"); }, 0},
      {"too large", [](const Asked&) { return Bytes("\xff\xff\xff\xff", 4); }, 0},
      {"a call", [](const Asked&) { return get_frame("key", 1); }, 0},
  };
  OperationId operation = 100;
  for (const Case& each : cases) {
    replies_.clear();
    unreachable_ = 0;
    ask("key", ++operation);
    const auto member = accept();
    const Asked to = asked(*member);
    ASSERT_TRUE(member->send(each.bytes(to)));
    EXPECT_TRUE(turns_until([&] { return unreachable_ == 1; })) << each.what;
    EXPECT_EQ(replies_.size(), each.replies) << each.what;
    EXPECT_TRUE(member->is_closed()) << each.what;
    // It was sent, so nobody may say that it was not.
    EXPECT_TRUE(unsent_.empty()) << each.what;
  }
}

TEST_F(ClientTransportTest, SilencePastTheDeadlineEndsTheConnection) {
  ask("key", 1, milliseconds(50));
  const auto silent = accept();
  const Asked late = asked(*silent);
  EXPECT_TRUE(turns_until([&] { return unreachable_ == 1; }));
  EXPECT_TRUE(unsent_.empty());
  EXPECT_TRUE(replies_.empty());
  // What it says now reaches nobody.
  silent->send(answer(late, late.call.request_id));
  ask("key", 2);
  const auto fresh = accept();
  const Asked to = asked(*fresh);
  ASSERT_TRUE(fresh->send(answer(to, to.call.request_id)));
  ASSERT_TRUE(turns_until([&] { return !replies_.empty(); }));
  EXPECT_EQ(replies_[0].operation, 2u);
}

TEST_F(ClientTransportTest, AMemberOfAnotherClusterIsAskedNothing) {
  for (const bool unordered : {true, false}) {
    unsent_.clear();
    unreachable_ = 0;
    ask("key", 7);
    const auto other = accept(unordered ? "elsewhere" : "lab", unordered);
    EXPECT_TRUE(turns_until([&] { return unreachable_ == 1; }));
    EXPECT_EQ(unsent_, (std::vector<OperationId>{7}));
    EXPECT_FALSE(other->frame().has_value()) << "the request left";
  }
  // And the right one is found when it is back.
  ask("key", 8);
  const auto member = accept();
  const Asked to = asked(*member);
  ASSERT_TRUE(member->send(answer(to, to.call.request_id)));
  EXPECT_TRUE(turns_until([&] { return !replies_.empty(); }));
}

TEST_F(ClientTransportTest, AClosedConnectionIsToldAtOnce) {
  ask("key", 1);
  const auto member = accept();
  asked(*member);
  member->close();
  EXPECT_TRUE(turns_until([&] { return unreachable_ == 1; }));
  EXPECT_TRUE(unsent_.empty());
}

TEST_F(ClientTransportTest, NobodyThereMeansThatNothingLeft) {
  listener_.reset();
  ask("key", 1);
  EXPECT_TRUE(turns_until([&] { return unreachable_ == 1; }));
  EXPECT_EQ(unsent_, (std::vector<OperationId>{1}));
}

TEST_F(ClientTransportTest, CallsBeyondTheBoundDoNotLeave) {
  constexpr std::size_t calls_max = 65536;
  for (std::size_t i = 0; i <= calls_max; ++i) ask("key", i);
  EXPECT_TRUE(turns_until([&] { return !unsent_.empty(); }));
  EXPECT_EQ(unsent_, (std::vector<OperationId>{calls_max}));
  EXPECT_EQ(unreachable_, 0);
}

}  // namespace
}  // namespace ringwright::wire
