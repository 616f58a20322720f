#include "replication/runtime/loopback.h"

#include <gtest/gtest.h>

#include <thread>

#include "engine/base/limits.h"
#include "replication/runtime/faulty_transport.h"

namespace ringwright {
namespace {

struct Heard {
  std::vector<Envelope> messages;
  std::vector<Endpoint> unreachable;
};

Heard poll(Transport& transport, Instant until = 0) {
  Heard heard;
  transport.poll(until, {[&](Envelope envelope) { heard.messages.push_back(std::move(envelope)); },
                         [&](Endpoint endpoint) { heard.unreachable.push_back(endpoint); }});
  return heard;
}

std::vector<Envelope> pings(Endpoint from, Endpoint to, std::size_t count) {
  return std::vector<Envelope>(count, Envelope{from, to, 0, Ping{}});
}

void send(Transport& transport, std::vector<Envelope> envelopes) { transport.send(envelopes); }

class LoopbackTest : public ::testing::Test {
 protected:
  LoopbackTest() : a_(network_->reserve()), b_(network_->reserve()) {
    to_a_ = std::move(network_->open(a_, 1).front());
    to_b_ = network_->open(b_, 2);
    poll(*to_a_);  // b was down when a opened
  }

  std::shared_ptr<LoopbackNetwork> network_ = LoopbackNetwork::make();
  Endpoint a_;
  Endpoint b_;
  std::unique_ptr<Transport> to_a_;
  std::vector<std::unique_ptr<Transport>> to_b_;
};

TEST_F(LoopbackTest, AMessageLiesInTheMailboxOfItsShard) {
  const Bytes key = "a";
  Envelope request{a_, b_, 0, ReplicaRead{1, "default", key}};
  const std::uint32_t shard = shard_of(request.message, 2);
  send(*to_a_, {request});
  EXPECT_EQ(poll(*to_b_[1 - shard]).messages.size(), 0U);
  const Heard heard = poll(*to_b_[shard]);
  ASSERT_EQ(heard.messages.size(), 1U);
  EXPECT_EQ(std::get<ReplicaRead>(heard.messages[0].message).key, key);
}

TEST_F(LoopbackTest, WhoIsDownIsUnreachable) {
  to_b_[1]->close();
  EXPECT_FALSE(network_->is_up(b_));
  EXPECT_EQ(poll(*to_a_).unreachable, std::vector<Endpoint>{b_});
  send(*to_a_, pings(a_, b_, 3));
  EXPECT_EQ(poll(*to_a_).unreachable, std::vector<Endpoint>{b_});
  const LoopbackNetwork::ClientEnd client = network_->open_client();
  EXPECT_EQ(poll(*client.transport).unreachable, std::vector<Endpoint>{b_});
  to_b_ = network_->open(b_, 1);
  send(*to_a_, pings(a_, b_, 3));
  EXPECT_EQ(poll(*to_b_[0]).messages.size(), 3U);
}

TEST_F(LoopbackTest, AClientsEndpointIsGivenOutAgain) {
  Endpoint first = 0;
  {
    const LoopbackNetwork::ClientEnd client = network_->open_client();
    first = client.endpoint;
  }
  poll(*to_a_);
  EXPECT_EQ(network_->open_client().endpoint, first);
}

TEST_F(LoopbackTest, AFullMailboxDropsWhatComes) {
  send(*to_a_, pings(a_, b_, limits::mailbox_messages_max));
  send(*to_a_, pings(a_, b_, 10));
  EXPECT_EQ(poll(*to_b_[0]).messages.size(), limits::mailbox_messages_max);
  send(*to_a_, pings(a_, b_, 1));
  EXPECT_EQ(poll(*to_b_[0]).messages.size(), 1U);
}

TEST_F(LoopbackTest, AWakeIsNotLost) {
  to_a_->wake();
  poll(*to_a_, never);
  std::thread waker([&] { to_a_->wake(); });
  poll(*to_a_, never);
  waker.join();
}

TEST_F(LoopbackTest, EveryMessageOfAPingPongArrives) {
  constexpr int rounds = 2000;
  std::thread other([&] {
    for (int i = 0; i < rounds; ++i) {
      while (poll(*to_b_[0], never).messages.empty()) continue;
      send(*to_b_[0], pings(b_, a_, 1));
    }
  });
  for (int i = 0; i < rounds; ++i) {
    send(*to_a_, pings(a_, b_, 1));
    while (poll(*to_a_, never).messages.empty()) continue;
  }
  other.join();
}

TEST_F(LoopbackTest, LinksAreCutAndDelayedInOneDirection) {
  const auto links = std::make_shared<LinkTable>();
  const auto clock = make_system_clock();
  FaultyTransport faulty(std::move(to_a_), links, clock);
  links->cut(a_, b_);
  send(faulty, pings(a_, b_, 1));
  EXPECT_TRUE(poll(*to_b_[0]).messages.empty());
  send(*to_b_[0], pings(b_, a_, 1));
  EXPECT_EQ(poll(faulty).messages.size(), 1U);
  links->heal();
  links->delay(a_, b_, milliseconds(5));
  const Instant start = clock->now();
  send(faulty, pings(a_, b_, 2));
  EXPECT_TRUE(poll(*to_b_[0]).messages.empty());
  while (poll(*to_b_[0]).messages.empty()) poll(faulty, clock->now() + milliseconds(1));
  EXPECT_GE(clock->now() - start, milliseconds(5));
  links->heal();
  EXPECT_FALSE(links->any());
}

TEST_F(LoopbackTest, WhatArrivesOverACutLinkIsLostToo) {
  const auto links = std::make_shared<LinkTable>();
  FaultyTransport faulty(std::move(to_a_), links, make_system_clock());
  // Sent before the cut, by an end that knows nothing of it.
  send(*to_b_[0], pings(b_, a_, 1));
  links->cut(b_, a_);
  EXPECT_TRUE(poll(faulty).messages.empty());
  send(*to_b_[0], pings(b_, a_, 1));
  EXPECT_TRUE(poll(faulty).messages.empty());
  send(faulty, pings(a_, b_, 1));
  EXPECT_EQ(poll(*to_b_[0]).messages.size(), 1U);
  // What a client sends, whose endpoint is in no link, still arrives, and so does that a node left.
  const LoopbackNetwork::ClientEnd client = network_->open_client();
  send(*client.transport, pings(client.endpoint, a_, 1));
  EXPECT_EQ(poll(faulty).messages.size(), 1U);
  to_b_[0]->close();
  EXPECT_EQ(poll(faulty).unreachable, std::vector<Endpoint>{b_});
}

TEST_F(LoopbackTest, ATableOfLinksIsReplacedAsAWhole) {
  LinkTable links;
  links.cut(a_, b_);
  links.partition({{b_, a_}});
  links.replace({{{b_, a_}, {false, milliseconds(5)}}, {{a_, b_}, {}}});
  EXPECT_FALSE(links.link(a_, b_).cut);
  EXPECT_FALSE(links.link(b_, a_).cut);
  EXPECT_EQ(links.link(b_, a_).delay, milliseconds(5));
  links.replace({});
  EXPECT_FALSE(links.any());
}

}  // namespace
}  // namespace ringwright
