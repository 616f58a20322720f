#include "replication/version/actor.h"

#include <gtest/gtest.h>

namespace ringwright {
namespace {

const Actor actor{{0x0011223344556677, 0x8899aabbccddeeff}, 0x0102030405060708, 300};

TEST(Actor, IsShownAsUuidStartAndBirth) {
  EXPECT_EQ(to_string(actor.node), "00112233-4455-6677-8899-aabbccddeeff");
  EXPECT_EQ(to_string(actor), "00112233-4455-6677-8899-aabbccddeeff/0102030405060708/300");
  EXPECT_EQ(to_string(Dot{actor, 7}), to_string(actor) + ":7");
}

TEST(Actor, IsOrderedByNodeThenStartThenBirthThenCounter) {
  EXPECT_LT((Actor{{1, 9}, 9, 9}), (Actor{{2, 0}, 0, 0}));
  EXPECT_LT((Actor{{1, 1}, 9, 9}), (Actor{{1, 2}, 0, 0}));
  EXPECT_LT((Actor{{1, 1}, 1, 9}), (Actor{{1, 1}, 2, 0}));
  EXPECT_LT((Actor{{1, 1}, 1, 1}), (Actor{{1, 1}, 1, 2}));
  EXPECT_LT((Dot{{{1, 1}, 1, 1}, 9}), (Dot{{{1, 1}, 1, 2}, 1}));
  EXPECT_LT((Dot{actor, 1}), (Dot{actor, 2}));
}

TEST(Actor, GoldenBytes) {
  Bytes out;
  put_actor(out, actor);
  EXPECT_EQ(to_hex(out),
            "00112233445566778899aabbccddeeff"  // node, big-endian
            "0807060504030201"                  // start
            "ac02");                            // birth
  Decoder in(out);
  EXPECT_EQ(take_actor(in), actor);
  EXPECT_TRUE(in.complete());
  EXPECT_GE(out.size(), actor_bytes_min);
  Bytes least;
  put_actor(least, Actor{});
  EXPECT_EQ(least.size(), actor_bytes_min);
}

TEST(RequestId, GoldenBytes) {
  const RequestId id{0x0102030405060708, 0x1112131415161718, 128};
  Bytes out;
  put_request_id(out, id);
  EXPECT_EQ(to_hex(out),
            "0807060504030201"
            "1817161514131211"
            "8001");
  Decoder in(out);
  EXPECT_EQ(take_request_id(in), id);
  EXPECT_TRUE(in.complete());
}

TEST(RequestId, IsEmptyOnlyWhenEveryPartIsZero) {
  EXPECT_TRUE(RequestId{}.empty());
  EXPECT_FALSE((RequestId{1, 0, 0}).empty());
  EXPECT_FALSE((RequestId{0, 1, 0}).empty());
  EXPECT_FALSE((RequestId{0, 0, 1}).empty());
}

}  // namespace
}  // namespace ringwright
