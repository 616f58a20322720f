#include "plugins/thrift/frame_connection.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>
#include <utility>

namespace ringwright::wire {
namespace {

std::pair<Descriptor, Descriptor> socket_pair() {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

TEST(FrameConnection, OnlyWhatTheOtherSideWasOfferedCanStall) {
  auto [near, far] = socket_pair();
  Poller poller;
  FrameConnection connection(std::make_unique<SocketStream>(std::move(near)), poller, 1, 0);
  EXPECT_EQ(connection.stalled_since(), never);

  // An answer that was just made, long after the connection began.
  connection.out().append("answer");
  EXPECT_EQ(connection.stalled_since(), never);
  ASSERT_TRUE(connection.flush(seconds(100)));
  EXPECT_EQ(connection.unsent(), 0U);
  EXPECT_EQ(connection.stalled_since(), never);

  connection.out().append(16 * 1024 * 1024, 'x');
  ASSERT_TRUE(connection.flush(seconds(200)));
  ASSERT_GT(connection.unsent(), 0U);
  EXPECT_EQ(connection.stalled_since(), seconds(200));
  ASSERT_TRUE(connection.flush(seconds(201)));
  EXPECT_EQ(connection.stalled_since(), seconds(200));
}

}  // namespace
}  // namespace ringwright::wire
