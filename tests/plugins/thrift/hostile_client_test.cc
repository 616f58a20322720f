#include <gtest/gtest.h>

#include <random>

#include "engine/base/limits.h"
#include "tests/plugins/thrift/node_harness.h"

namespace ringwright::wire {
namespace {

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

}  // namespace
}  // namespace ringwright::wire
