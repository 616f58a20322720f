#include "replication/transport/assembler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "engine/base/limits.h"
#include "tests/unit/replication/transport/random_messages.h"

namespace ringwright {
namespace {

constexpr std::uint64_t sender = 0xfeed;

ReplicaWrite write_of(std::size_t record_bytes) {
  ReplicaWrite write;
  write.operation = 42;
  write.keyspace = "ks";
  write.key = "key";
  write.record = Bytes(record_bytes, 'r');
  return write;
}

std::vector<Fragment> cut(const Message& message, std::uint64_t name,
                          std::size_t frame_bytes = 100) {
  return cut_message(message, 7, sender, name, frame_bytes);
}

// Adds them in order; how many wholes came out.
std::size_t add_all(Assembler& assembler, const std::vector<Fragment>& pieces, Instant now) {
  std::size_t wholes = 0;
  for (const Fragment& piece : pieces)
    if (assembler.add(piece, now)) ++wholes;
  return wholes;
}

template <typename Item>
void shuffle(std::vector<Item>& items, Random& random) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random.below(i)]);
}

TEST(CutMessage, PiecesJoinToTheEncodingAndFitTheirFrame) {
  SeededRandom random(1, "cut");
  for (int i = 0; i < 2'000; ++i) {
    const Message message = random_message(random, random.below(9), 2'000);
    const std::size_t frame_bytes = static_cast<std::size_t>(random.between(60, 1'000));
    const auto pieces = cut_message(message, 5, sender, 3, frame_bytes);
    Bytes joined;
    for (std::size_t at = 0; at < pieces.size(); ++at) {
      const Fragment& piece = pieces[at];
      EXPECT_EQ(piece.transfer_high, sender);
      EXPECT_EQ(piece.transfer_low, 3u);
      EXPECT_EQ(piece.index, at);
      EXPECT_EQ(piece.count, pieces.size());
      EXPECT_EQ(piece.is_reply, route_of(message).is_reply);
      EXPECT_EQ(piece.route, route_of(message).value);
      EXPECT_FALSE(piece.bytes.empty());
      EXPECT_LE(encode_message(UINT64_MAX, piece).size(), frame_bytes);
      joined += piece.bytes;
    }
    EXPECT_EQ(joined, encode_message(5, message));
  }
}

TEST(CutMessage, AFrameTooSmallForAnyPieceStillCarriesAByte) {
  for (const std::size_t frame_bytes : {0, 1, 59, 60}) {
    Assembler assembler;
    const auto pieces = cut_message(Ping{}, 5, sender, 3, frame_bytes);
    EXPECT_EQ(pieces.size(), encode_message(5, Ping{}).size());
    EXPECT_EQ(add_all(assembler, pieces, 0), 1u);
  }
}

TEST(Assembler, LargestRecordsTravelInRealFrames) {
  Assembler assembler;
  ClientReply reply;
  reply.operation = 9;
  for (int i = 0; i < 40; ++i)
    reply.siblings.push_back({Bytes(limits::value_bytes_max, 'v'), {}, 1});
  const auto pieces = cut(reply, 1, limits::frame_bytes_max);
  EXPECT_EQ(pieces.size(), 3u);
  assembler.add(pieces[2], 0);
  assembler.add(pieces[0], 0);
  const auto whole = assembler.add(pieces[1], 0);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->stamp, 7u);
  EXPECT_EQ(whole->message, Message(reply));
  EXPECT_EQ(assembler.dropped(), 0u);
}

// Several transfers interleaved, shuffled, some pieces twice, some lost: each comes out once when
// none of its pieces was lost, and never otherwise.
TEST(Assembler, AnyOrderWithDuplicatesAndLosses) {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    SeededRandom random(seed, "assembler");
    std::vector<Message> messages;
    std::vector<bool> lost;
    std::vector<Fragment> sent;
    const std::size_t transfers = 1 + random.below(20);
    for (std::size_t name = 0; name < transfers; ++name) {
      messages.push_back(random_message(random, random.below(9), 1'000));
      const auto pieces = cut(messages.back(), name);
      lost.push_back(random.chance(0.3));
      const std::size_t victim = lost.back() ? random.below(pieces.size()) : pieces.size();
      for (const Fragment& piece : pieces) {
        if (piece.index == victim) continue;
        sent.push_back(piece);
        while (random.chance(0.3)) sent.push_back(piece);
      }
    }
    shuffle(sent, random);
    Assembler assembler;
    std::vector<int> wholes(transfers, 0);
    for (const Fragment& piece : sent) {
      auto whole = assembler.add(piece, static_cast<Instant>(random.below(1'000)));
      if (!whole) continue;
      ++wholes[piece.transfer_low];
      EXPECT_EQ(whole->stamp, 7u);
      EXPECT_EQ(whole->message, messages[piece.transfer_low]);
    }
    for (std::size_t name = 0; name < transfers; ++name)
      EXPECT_EQ(wholes[name], lost[name] ? 0 : 1) << "seed " << seed;
    EXPECT_EQ(assembler.dropped(), 0u);
    assembler.tick(1'000 + limits::transfer_deadline);
    EXPECT_EQ(assembler.transfers(), 0u);
    EXPECT_EQ(assembler.next_deadline(), never);
  }
}

TEST(Assembler, HalfTransfersLeaveAtTheirDeadline) {
  Assembler assembler;
  EXPECT_EQ(assembler.next_deadline(), never);
  const auto pieces = cut(write_of(300), 1);
  assembler.add(pieces[0], 100);
  assembler.add(pieces[1], 200);  // does not put the deadline off
  EXPECT_EQ(assembler.next_deadline(), 100 + limits::transfer_deadline);
  assembler.tick(assembler.next_deadline() - 1);
  EXPECT_EQ(assembler.transfers(), 1u);
  assembler.tick(assembler.next_deadline());
  EXPECT_EQ(assembler.transfers(), 0u);
  EXPECT_EQ(assembler.dropped(), 1u);
  EXPECT_EQ(assembler.next_deadline(), never);
}

TEST(Assembler, PiecesFromBeforeTheDeadlineDoNotCountAfterIt) {
  Assembler assembler;
  auto pieces = cut(write_of(300), 1);
  const Fragment last = pieces.back();
  pieces.pop_back();
  add_all(assembler, pieces, 0);
  EXPECT_FALSE(assembler.add(last, limits::transfer_deadline));  // before any tick
  EXPECT_EQ(assembler.dropped(), 1u);
  EXPECT_EQ(assembler.next_deadline(), 2 * limits::transfer_deadline);
}

TEST(Assembler, ALateDuplicateIsKnown) {
  Assembler assembler;
  const auto pieces = cut(write_of(300), 1);
  EXPECT_EQ(add_all(assembler, pieces, 0), 1u);
  EXPECT_EQ(add_all(assembler, pieces, 1), 0u);
  EXPECT_EQ(assembler.next_deadline(), never);  // nothing to wait for
  EXPECT_EQ(assembler.dropped(), 0u);
}

TEST(Assembler, ADuplicateThatIsNoLongerKnownLeavesToo) {
  Assembler assembler;
  const auto pieces = cut(write_of(300), 1);
  EXPECT_EQ(add_all(assembler, pieces, 0), 1u);
  for (std::uint64_t name = 2; name < 2 + limits::transfers_max; ++name)
    EXPECT_EQ(add_all(assembler, cut(write_of(300), name), 1), 1u);
  EXPECT_EQ(assembler.transfers(), limits::transfers_max);
  EXPECT_FALSE(assembler.add(pieces[0], 2));
  EXPECT_EQ(assembler.next_deadline(), 2 + limits::transfer_deadline);
  assembler.tick(assembler.next_deadline());
  EXPECT_EQ(assembler.transfers(), 0u);
  EXPECT_EQ(assembler.dropped(), 1u);
}

TEST(Assembler, TheOldestGivesWayToMoreTransfers) {
  Assembler assembler;
  std::vector<std::vector<Fragment>> halves;
  for (std::uint64_t i = 0; i <= limits::transfers_max; ++i) {
    halves.push_back(cut(write_of(300), 1'000 - i));  // names against the order of arrival
    assembler.add(halves[i][0], static_cast<Instant>(i));
  }
  EXPECT_EQ(assembler.transfers(), limits::transfers_max);
  EXPECT_EQ(assembler.dropped(), 1u);
  for (auto& half : halves) half.erase(half.begin());
  for (std::size_t i = 1; i < halves.size(); ++i) EXPECT_EQ(add_all(assembler, halves[i], 100), 1u);
  EXPECT_EQ(add_all(assembler, halves[0], 100), 0u);
}

TEST(Assembler, TransfersThatCameOutGiveWayFirst) {
  Assembler assembler;
  auto half = cut(write_of(300), 0);
  assembler.add(half[0], 0);
  for (std::uint64_t name = 1; name < 3 * limits::transfers_max; ++name)
    EXPECT_EQ(add_all(assembler, cut(write_of(300), name), 1), 1u);
  half.erase(half.begin());
  EXPECT_EQ(add_all(assembler, half, 2), 1u);
  EXPECT_EQ(assembler.dropped(), 0u);
}

TEST(Assembler, TheOldestGivesWayToMoreBytes) {
  Assembler assembler;
  const std::size_t record_bytes = limits::transfer_bytes_max / 4;
  std::vector<std::vector<Fragment>> sent;
  for (std::uint64_t name = 0; name < 5; ++name) {
    sent.push_back(cut(write_of(record_bytes), name, record_bytes));
    ASSERT_EQ(sent.back().size(), 2u);
    assembler.add(sent.back()[0], static_cast<Instant>(name));
  }
  EXPECT_EQ(assembler.dropped(), 2u);
  EXPECT_FALSE(assembler.add(sent[0][1], 9));
  for (std::size_t name = 2; name < 5; ++name) EXPECT_TRUE(assembler.add(sent[name][1], 9));
}

TEST(Assembler, BytesThatCameOutNoLongerCount) {
  Assembler assembler;
  auto half = cut(write_of(300), 0);
  assembler.add(half[0], 0);
  const std::size_t record_bytes = limits::transfer_bytes_max / 4;
  for (std::uint64_t name = 1; name < 6; ++name)
    EXPECT_EQ(add_all(assembler, cut(write_of(record_bytes), name, record_bytes), 1), 1u);
  half.erase(half.begin());
  EXPECT_EQ(add_all(assembler, half, 2), 1u);
  EXPECT_EQ(assembler.dropped(), 0u);
}

TEST(Assembler, ATransferTooLargeLeavesTheOthersAlone) {
  Assembler assembler;
  const auto small = cut(write_of(300), 1);
  assembler.add(small[0], 0);
  const std::size_t piece_bytes = limits::transfer_bytes_max / 4;
  Fragment piece{sender, 2, 0, 9, false, 0, Bytes(piece_bytes, 'x')};
  for (; piece.index < 4; ++piece.index) assembler.add(piece, 1);
  EXPECT_EQ(assembler.transfers(), 1u);
  EXPECT_EQ(assembler.dropped(), 1u);
  EXPECT_EQ(add_all(assembler, {small.begin() + 1, small.end()}, 2), 1u);
}

TEST(Assembler, PiecesThatCannotBeAreDropped) {
  Assembler assembler;
  const Fragment good = cut(write_of(300), 1)[0];
  std::uint64_t dropped = 0;
  const auto expect_dropped = [&](auto change) {
    Fragment piece = good;
    change(piece);
    EXPECT_FALSE(assembler.add(piece, 0));
    EXPECT_EQ(assembler.dropped(), ++dropped);
    EXPECT_EQ(assembler.transfers(), 0u);
  };
  expect_dropped([](Fragment& piece) { piece.count = 0; });
  expect_dropped([](Fragment& piece) { piece.index = piece.count; });
  expect_dropped([](Fragment& piece) { piece.index = UINT32_MAX; });
  expect_dropped([](Fragment& piece) { piece.count = UINT32_MAX; });
  expect_dropped([](Fragment& piece) { piece.count = limits::transfer_bytes_max / 1024 + 1; });
  expect_dropped([](Fragment& piece) { piece.bytes.clear(); });
}

TEST(Assembler, ContradictionsAreDroppedAndTheTransferGoesOn) {
  Assembler assembler;
  const auto pieces = cut(write_of(300), 1);
  assembler.add(pieces[0], 0);
  Fragment other = pieces[1];
  other.count += 1;
  EXPECT_FALSE(assembler.add(other, 0));
  EXPECT_EQ(assembler.dropped(), 1u);
  other = pieces[0];
  other.bytes[0] ^= 1;
  EXPECT_FALSE(assembler.add(other, 0));
  EXPECT_EQ(assembler.dropped(), 2u);
  EXPECT_EQ(add_all(assembler, pieces, 0), 1u);
}

TEST(Assembler, AWholeThatIsDamagedIsDropped) {
  Assembler assembler;
  auto pieces = cut(write_of(300), 1);
  pieces[1].bytes[3] ^= 1;
  EXPECT_EQ(add_all(assembler, pieces, 0), 0u);
  EXPECT_EQ(assembler.dropped(), 1u);
}

TEST(Assembler, AWholeThatBelongsElsewhereIsDropped) {
  Assembler assembler;
  auto pieces = cut(write_of(300), 1);
  for (Fragment& piece : pieces) ++piece.route;
  EXPECT_EQ(add_all(assembler, pieces, 0), 0u);
  EXPECT_EQ(assembler.dropped(), 1u);
  pieces = cut(write_of(300), 2);
  for (Fragment& piece : pieces) piece.is_reply = true;
  EXPECT_EQ(add_all(assembler, pieces, 0), 0u);
  EXPECT_EQ(assembler.dropped(), 2u);
  pieces = cut(Fragment{1, 2, 0, 1, false, 3, "abc"}, 3);  // pieces of a piece
  EXPECT_EQ(add_all(assembler, pieces, 0), 0u);
  EXPECT_EQ(assembler.dropped(), 3u);
}

// Claimed counts fill tables, not only bytes: their memory is bounded as well.
TEST(Assembler, ClaimedCountsAreBounded) {
  Assembler assembler;
  Fragment piece{sender, 0, 0, limits::transfer_bytes_max / 1024, false, 0, "x"};
  for (; piece.transfer_low < 200; ++piece.transfer_low)
    assembler.add(piece, static_cast<Instant>(piece.transfer_low));
  const std::size_t table_bytes = piece.count * sizeof(std::optional<Bytes>);
  EXPECT_LE(assembler.transfers() * table_bytes, limits::transfer_bytes_max);
  EXPECT_GT(assembler.transfers(), 1u);
}

TEST(Assembler, ManyPiecesInAnyOrder) {
  SeededRandom random(3, "many pieces");
  Assembler assembler;
  const ReplicaWrite write = write_of(60'000);
  auto pieces = cut(write, 1, 1);
  shuffle(pieces, random);
  EXPECT_EQ(add_all(assembler, pieces, 0), 1u);
  EXPECT_EQ(add_all(assembler, pieces, 1), 0u);
}

TEST(Assembler, RandomPiecesNeverBreakIt) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SeededRandom random(seed, "random pieces");
    Assembler assembler;
    Instant now = 0;
    for (int i = 0; i < 2'000; ++i) {
      now += static_cast<Instant>(random.below(limits::transfer_deadline / 20));
      Fragment piece = random_fragment(random, 100);
      piece.transfer_high = random.below(2);
      piece.transfer_low = random.below(100);
      piece.count = static_cast<std::uint32_t>(random.below(4));
      piece.index = static_cast<std::uint32_t>(random.below(4));
      EXPECT_FALSE(assembler.add(piece, now));
      EXPECT_LE(assembler.transfers(), limits::transfers_max);
      if (random.chance(0.1)) assembler.tick(now);
    }
    assembler.tick(never);
    EXPECT_EQ(assembler.transfers(), 0u);
  }
}

}  // namespace
}  // namespace ringwright
