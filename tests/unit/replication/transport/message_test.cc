#include "replication/transport/message.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/base/coding.h"
#include "engine/base/hash.h"
#include "tests/unit/replication/transport/random_messages.h"

namespace ringwright {
namespace {

constexpr std::size_t types = std::variant_size_v<Message>;
constexpr std::size_t checksum_bytes = 4;

// `body` with the checksum that it should have, so that what lies behind the checksum is tested.
Bytes sealed(Bytes body) {
  put_u32(body, checksum32(body));
  return body;
}
Bytes body_of(const Message& message) {
  const Bytes bytes = encode_message(7, message);
  return bytes.substr(0, bytes.size() - checksum_bytes);
}

std::string decode_error(ByteView bytes, Code code) {
  const auto decoded = decode_message(bytes);
  if (decoded) return "decoded";
  EXPECT_EQ(decoded.error().code(), code);
  return decoded.error().message();
}

// Hex with spaces between fields, so that the bytes can be read.
std::string without_spaces(std::string_view text) {
  std::string hex;
  for (const char letter : text)
    if (letter != ' ') hex.push_back(letter);
  return hex;
}

void expect_golden(const Message& message, std::string_view fields) {
  constexpr Timestamp stamp = 0x1122334455667788;
  const Bytes bytes = encode_message(stamp, message);
  EXPECT_EQ(to_hex(bytes), without_spaces(fields)) << "type " << message.index();
  EXPECT_EQ(message_bytes_bound(message), bytes.size());
  const auto decoded = decode_message(bytes);
  ASSERT_TRUE(decoded) << decoded.error().to_string();
  EXPECT_EQ(decoded->stamp, stamp);
  EXPECT_EQ(decoded->message, message);
}

constexpr OperationId operation = 0x0102030405060708;
constexpr RequestId request{0xa1, 0xa2, 300};
constexpr NodeId node{0x0011223344556677, 0x8899aabbccddeeff};
constexpr Dot dot{{node, 0xb1, 5}, 200};

TEST(MessageGolden, GetRequest) {
  expect_golden(GetRequest{operation, "ks", "key", {Level::quorum}, seconds(1)},
                "01 00 8877665544332211 0807060504030201 02 6b73 03 6b6579 cc 00ca9a3b00000000 "
                "771f2599");
}

TEST(MessageGolden, PutRequest) {
  PutRequest put{operation, "ks", "key", "value", true,           false,
                 "ctx",     {2},  128,   request, milliseconds(1)};
  expect_golden(put,
                "01 01 8877665544332211 0807060504030201 02 6b73 03 6b6579 05 76616c7565 01 00 "
                "03 637478 02 8001 a100000000000000 a200000000000000 ac02 40420f0000000000 "
                "9c507ba1");
}

TEST(MessageGolden, ClientReply) {
  ClientReply reply;
  reply.operation = operation;
  reply.outcome = Outcome::unknown;
  reply.code = Code::timed_out;
  reply.message = "late";
  reply.required = 2;
  reply.received = 1;
  reply.coordinator = node;
  reply.key = "key";
  reply.request = request;
  reply.siblings = {{"a", dot, 9}};
  reply.context = "ctx";
  reply.dot = dot;
  expect_golden(reply,
                "01 02 8877665544332211 0807060504030201 02 03 04 6c617465 02 01 "
                "00112233445566778899aabbccddeeff 03 6b6579 "
                "a100000000000000 a200000000000000 ac02 01 "
                "01 61 00112233445566778899aabbccddeeff b100000000000000 05 c801 0900000000000000 "
                "03 637478 00112233445566778899aabbccddeeff b100000000000000 05 c801 "
                "c8c95b77");
}

TEST(MessageGolden, ReplicaRead) {
  expect_golden(ReplicaRead{operation, "ks", "key"},
                "01 03 8877665544332211 0807060504030201 02 6b73 03 6b6579 f3e45211");
}

TEST(MessageGolden, ReplicaReadReply) {
  expect_golden(ReplicaReadReply{operation, Code::corrupt, "bad", "rec"},
                "01 04 8877665544332211 0807060504030201 08 03 626164 03 726563 99552ac4");
}

TEST(MessageGolden, ReplicaWrite) {
  expect_golden(
      ReplicaWrite{operation, "ks", "key", RowKind::fallback, WritePurpose::heal, "rec"},
      "01 05 8877665544332211 0807060504030201 02 6b73 03 6b6579 03 03 03 726563 709120e5");
}

TEST(MessageGolden, ReplicaWriteAcks) {
  expect_golden(ReplicaWriteAcks{{operation, 1}},
                "01 0a 8877665544332211 02 0807060504030201 0100000000000000 935c1644");
}

TEST(MessageGolden, ReplicaWriteReply) {
  expect_golden(ReplicaWriteReply{operation, Code::in_doubt, "?"},
                "01 06 8877665544332211 0807060504030201 0a 01 3f 04d37ce3");
}

TEST(MessageGolden, PingAndPong) {
  expect_golden(Ping{}, "01 07 8877665544332211 ddf76a3d");
  expect_golden(Pong{}, "01 08 8877665544332211 4204c241");
}

TEST(MessageGolden, Fragment) {
  expect_golden(Fragment{0xc1, 0xc2, 1, 200, true, operation, "abc"},
                "01 09 8877665544332211 c100000000000000 c200000000000000 01 c801 01 "
                "0807060504030201 03 616263 492833bd");
}

TEST(Message, EveryRandomMessageComesBackEqual) {
  SeededRandom random(1, "round trip");
  for (int i = 0; i < 20'000; ++i) {
    const Message message = random_message(random, random.below(types), 300);
    const Timestamp stamp = random.next();
    const Bytes bytes = encode_message(stamp, message);
    const auto decoded = decode_message(bytes);
    ASSERT_TRUE(decoded) << decoded.error().to_string();
    ASSERT_EQ(decoded->stamp, stamp);
    ASSERT_EQ(decoded->message, message);
    ASSERT_EQ(encode_message(decoded->stamp, decoded->message), bytes);
  }
}

TEST(Message, TheBoundHolds) {
  SeededRandom random(2, "bound");
  for (int i = 0; i < 20'000; ++i) {
    const Message message = random_message(random, random.below(types), 2'000);
    const std::size_t size = encode_message(random.next(), message).size();
    const std::size_t bound = message_bytes_bound(message);
    ASSERT_GE(bound, size);
    ASSERT_LE(bound, 2 * size + 200);
  }
}

TEST(Message, EveryTruncationIsRefused) {
  SeededRandom random(3, "truncation");
  for (std::size_t type = 0; type < types; ++type) {
    for (int i = 0; i < 20; ++i) {
      const Bytes bytes = encode_message(9, random_message(random, type, 200));
      for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_NE(decode_error(ByteView(bytes).substr(0, size), Code::corrupt), "decoded");
    }
  }
}

TEST(Message, EveryTruncationBehindAGoodChecksumIsRefused) {
  SeededRandom random(4, "sealed truncation");
  for (std::size_t type = 0; type < types; ++type) {
    for (int i = 0; i < 20; ++i) {
      const Bytes body = body_of(random_message(random, type, 200));
      for (std::size_t size = 10; size < body.size(); ++size)
        EXPECT_NE(decode_error(sealed(body.substr(0, size)), Code::invalid), "decoded");
      EXPECT_NE(decode_error(sealed(body + '\0'), Code::invalid), "decoded");
    }
  }
}

TEST(Message, EveryBitFlipIsRefused) {
  SeededRandom random(5, "bit flips");
  for (std::size_t type = 0; type < types; ++type) {
    for (int i = 0; i < 5; ++i) {
      Bytes bytes = encode_message(9, random_message(random, type, 200));
      for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        const char flip = static_cast<char>(1 << bit % 8);
        bytes[bit / 8] ^= flip;
        EXPECT_NE(decode_error(bytes, Code::corrupt), "decoded") << "type " << type;
        bytes[bit / 8] ^= flip;
      }
    }
  }
}

// One encoding per message: whatever changed bytes are still accepted are what that message encodes
// to.
TEST(Message, WhatIsDecodedIsCanonical) {
  SeededRandom random(6, "canonical");
  int accepted = 0;
  for (int i = 0; i < 100'000; ++i) {
    Bytes body = body_of(random_message(random, random.below(types), 60));
    const std::size_t changes = 1 + random.below(3);
    for (std::size_t j = 0; j < changes; ++j)
      body[random.below(body.size())] = static_cast<char>(random.next());
    const Bytes bytes = sealed(body);
    const auto decoded = decode_message(bytes);
    if (!decoded) continue;
    ++accepted;
    ASSERT_EQ(encode_message(decoded->stamp, decoded->message), bytes);
  }
  EXPECT_GT(accepted, 10'000);
}

TEST(Message, RandomBytesAreRefused) {
  SeededRandom random(7, "random bytes");
  for (int i = 0; i < 100'000; ++i)
    EXPECT_NE(decode_error(random_bytes(random, 300), Code::corrupt), "decoded");
}

TEST(Message, RandomFieldsNeverCrash) {
  SeededRandom random(8, "random fields");
  for (int i = 0; i < 100'000; ++i) {
    Bytes body;
    put_u8(body, 1);
    put_u8(body, static_cast<std::uint8_t>(random.below(types)));
    body += random_bytes(random, 200);
    const Bytes bytes = sealed(body);
    const auto decoded = decode_message(bytes);
    if (!decoded) continue;
    ASSERT_EQ(encode_message(decoded->stamp, decoded->message), bytes);
  }
}

TEST(Message, UnknownFormatsAndTypesAreNamed) {
  Bytes body = body_of(Ping{});
  body[0] = 2;
  EXPECT_EQ(decode_error(sealed(body), Code::invalid),
            "the message has format 2, which this release cannot read");
  body[0] = 1;
  body[1] = static_cast<char>(types);
  EXPECT_EQ(decode_error(sealed(body), Code::invalid),
            "the message has type 11, which this release does not know");
  EXPECT_EQ(decode_error("", Code::corrupt), "the message is cut short");
}

// The position of a field is counted from the end of the body, for messages whose last fields have
// a known size.
Bytes with_byte(const Message& message, std::size_t from_end, int value) {
  Bytes body = body_of(message);
  body[body.size() - from_end] = static_cast<char>(value);
  return sealed(body);
}

TEST(Message, ValuesOutOfRangeAreRefused) {
  const std::string malformed = "has a malformed field or bytes after its last";
  const auto refused = [&](const Bytes& bytes) {
    return decode_error(bytes, Code::invalid).ends_with(malformed);
  };
  EXPECT_TRUE(decode_message(with_byte(GetRequest{}, 9, 205)));
  EXPECT_TRUE(refused(with_byte(GetRequest{}, 9, 206)));  // level
  EXPECT_TRUE(decode_message(with_byte(ReplicaWriteReply{}, 2, 13)));
  EXPECT_TRUE(refused(with_byte(ReplicaWriteReply{}, 2, 14)));  // code
  EXPECT_TRUE(decode_message(with_byte(ReplicaWrite{}, 2, 3)));
  EXPECT_TRUE(refused(with_byte(ReplicaWrite{}, 2, 4)));  // purpose
  EXPECT_TRUE(decode_message(with_byte(ReplicaWrite{}, 3, 3)));
  for (const int row : {0, 2, 4, 5}) EXPECT_TRUE(refused(with_byte(ReplicaWrite{}, 3, row)));
  EXPECT_TRUE(decode_message(with_byte(Fragment{}, 10, 1)));
  EXPECT_TRUE(refused(with_byte(Fragment{}, 10, 2)));  // is_reply
  Bytes outcome = body_of(ClientReply{});
  outcome[18] = 3;
  EXPECT_TRUE(refused(sealed(outcome)));
}

TEST(Message, NumbersTooLargeForTheirFieldAreRefused) {
  Bytes body = body_of(Fragment{});
  Bytes index;
  put_varint(index, std::uint64_t{UINT32_MAX} + 1);
  EXPECT_NE(decode_error(sealed(Bytes(body).replace(26, 1, index)), Code::invalid), "decoded");
  index.clear();
  put_varint(index, UINT32_MAX);
  EXPECT_TRUE(decode_message(sealed(Bytes(body).replace(26, 1, index))));
  EXPECT_NE(decode_error(sealed(Bytes(body).replace(26, 1, Bytes("\x80\0", 2))), Code::invalid),
            "decoded");  // a longer form of 0
}

TEST(Message, LengthsAndCountsBeyondTheInputAreRefused) {
  for (const std::uint64_t claimed : {std::uint64_t{1}, std::uint64_t{1} << 40, UINT64_MAX}) {
    Bytes head;
    put_u8(head, 1);
    put_u8(head, 3);
    put_u64(head, 0);
    put_u64(head, 0);
    put_varint(head, claimed);
    EXPECT_NE(decode_error(sealed(head), Code::invalid), "decoded");
    // The count of siblings, in front of an empty context and a zero dot.
    Bytes reply = body_of(ClientReply{});
    Bytes count;
    put_varint(count, claimed);
    reply.replace(reply.size() - 28, 1, count);
    EXPECT_NE(decode_error(sealed(reply), Code::invalid), "decoded");
  }
}

template <typename T>
T reply_to(OperationId asked) {
  T message;
  message.operation = asked;
  return message;
}
template <typename T>
T request_for(OperationId asked, const Bytes& key) {
  T message;
  message.operation = asked;
  message.key = key;
  return message;
}

TEST(Route, RequestsGoByTokenAndRepliesByOperation) {
  constexpr std::uint32_t shards = 7;
  const OperationId asked = OperationId{5} << operation_shard_shift | 12345;
  const Token token = token_of("key");
  const std::vector<Message> requests = {
      request_for<GetRequest>(asked, "key"), request_for<PutRequest>(asked, "key"),
      request_for<ReplicaRead>(asked, "key"), request_for<ReplicaWrite>(asked, "key")};
  for (const Message& message : requests) {
    EXPECT_FALSE(route_of(message).is_reply);
    EXPECT_EQ(route_of(message).value, token);
    EXPECT_EQ(shard_of(message, shards), shard_of_token(token, shards));
  }
  const std::vector<Message> replies = {
      reply_to<ClientReply>(asked), reply_to<ReplicaReadReply>(asked),
      reply_to<ReplicaWriteReply>(asked), ReplicaWriteAcks{{asked, asked + 1}}};
  for (const Message& message : replies) {
    EXPECT_TRUE(route_of(message).is_reply);
    EXPECT_EQ(route_of(message).value, asked);
    EXPECT_EQ(shard_of(message, shards), 5u);
    EXPECT_LT(shard_of(message, 3), 3u);
  }
  EXPECT_EQ(shard_of(Ping{}, shards), 0u);
  EXPECT_EQ(shard_of(Pong{}, shards), 0u);
  Fragment piece;
  piece.route = token;
  EXPECT_EQ(shard_of(piece, shards), shard_of_token(token, shards));
  piece.is_reply = true;
  piece.route = asked;
  EXPECT_EQ(shard_of(piece, shards), 5u);
}

TEST(Route, ShardsShareTheTokens) {
  SeededRandom random(9, "shards");
  for (std::uint32_t shards = 1; shards <= 256; ++shards) {
    EXPECT_EQ(shard_start(0, shards), 0u);
    EXPECT_EQ(shard_start(shards, shards), 0u);
    EXPECT_EQ(shard_of_token(UINT64_MAX, shards), shards - 1);
    for (std::uint32_t shard = 0; shard < shards; ++shard) {
      const Token start = shard_start(shard, shards);
      ASSERT_EQ(shard_of_token(start, shards), shard);
      const Token before = start - 1;  // of the first shard the last of all
      ASSERT_EQ(shard_of_token(before, shards), shard > 0 ? shard - 1 : shards - 1);
    }
    for (int i = 0; i < 50; ++i) {
      const Token token = random.next();
      const std::uint32_t shard = shard_of_token(token, shards);
      ASSERT_LT(shard, shards);
      ASSERT_GE(token, shard_start(shard, shards));
      ASSERT_LE(token, shard_start(shard + 1, shards) - 1);
    }
  }
}

TEST(Level, Resolves) {
  const auto resolved = [](std::uint8_t value, std::uint32_t n) {
    const auto count = resolve_level({value}, n, 2);
    return count ? static_cast<int>(*count) : -1;
  };
  EXPECT_EQ(resolved(Level::by_default, 3), 2);
  EXPECT_EQ(resolved(3, 3), 3);
  EXPECT_EQ(resolved(4, 3), -1);
  EXPECT_EQ(resolved(Level::one, 3), 1);
  EXPECT_EQ(resolved(Level::two, 3), 2);
  EXPECT_EQ(resolved(Level::three, 3), 3);
  EXPECT_EQ(resolved(Level::three, 2), -1);
  EXPECT_EQ(resolved(Level::all, 5), 5);
  for (std::uint32_t n = 1; n <= 16; ++n)
    EXPECT_EQ(resolved(Level::quorum, n), static_cast<int>(n / 2 + 1));
  EXPECT_EQ(resolved(Level::by_default, 1), -1);
  EXPECT_EQ(resolved(206, 16), -1);
  EXPECT_EQ(resolved(255, 16), -1);
  const auto refused = resolve_level({4}, 3, 2);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::invalid);
  EXPECT_EQ(refused.error().message(),
            "4 replicas asked but the keyspace keeps n=3: ask for at most 3");
}

TEST(Level, Parses) {
  const auto parsed = [](std::string_view text) {
    const auto level = parse_level(text);
    return level ? static_cast<int>(level->value) : -1;
  };
  EXPECT_EQ(parsed("ONE"), Level::one);
  EXPECT_EQ(parsed("two"), Level::two);
  EXPECT_EQ(parsed("Three"), Level::three);
  EXPECT_EQ(parsed("qUoRuM"), Level::quorum);
  EXPECT_EQ(parsed("all"), Level::all);
  EXPECT_EQ(parsed("1"), 1);
  EXPECT_EQ(parsed("16"), 16);
  for (const auto text : {"", "0", "17", "-1", "+1", " 1", "1 ", "2x", "201",
                          "99999999999999999999", "quorum ", "on"})
    EXPECT_EQ(parsed(text), -1) << text;
  EXPECT_EQ(parse_level("quroum").error().message(),
            "'quroum' is no level; did you mean QUORUM? known: ONE, TWO, THREE, QUORUM, ALL, a "
            "count from 1 to 16");
  EXPECT_EQ(parse_level("17").error().message(), "'17' is no level: give a count from 1 to 16");
  EXPECT_EQ(parse_level("17").error().code(), Code::invalid);
}

}  // namespace
}  // namespace ringwright
