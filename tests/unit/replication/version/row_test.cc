#include "replication/version/row.h"

#include <gtest/gtest.h>

#include <set>

#include "engine/base/hash.h"
#include "replication/version/merge.h"
#include "replication/version/storage_key.h"
#include "tests/unit/replication/version/random_record.h"

namespace ringwright {
namespace {

using test::any_key;

const Actor actor{{0x0011223344556677, 0x8899aabbccddeeff}, 0x0102, 300};
const Bytes stored_key = storage_key(RowKind::data, any_key);

Record one_sibling(std::uint64_t counter) {
  Record record;
  record.vector.raise({actor, counter}, 9);
  Sibling sibling;
  sibling.dot = {actor, counter};
  sibling.value = "v";
  record.siblings.push_back(sibling);
  return record;
}
Bytes record_hex(const Record& record) { return to_hex(encode_record(record, any_key)); }

TEST(Row, GoldenBytes) {
  Row row;
  row.record = one_sibling(1);
  EXPECT_EQ(to_hex(encode_row(row, any_key)), "00" + record_hex(row.record));
  row.mark = actor;
  EXPECT_EQ(to_hex(encode_row(row, any_key)),
            "01"  // flags: mark
            "00112233445566778899aabbccddeeff"
            "0201000000000000"
            "ac02"        // the actor
            "e3cd8c15" +  // checksum of all before
                record_hex(row.record));
  row.damaged = {"", "xy"};
  EXPECT_EQ(to_hex(encode_row(row, any_key)),
            "02"  // flags: damaged
            "02"  // pieces
            "00"
            "02"
            "7879"        // each with its length
            "8d689ede" +  // checksum of all before
                record_hex(row.record));
}

TEST(Row, GoldenBytesOfAnOperand) {
  const Record record = one_sibling(1);
  const Bytes operand = encode_operand(encode_record(record, any_key));
  EXPECT_EQ(to_hex(operand), "00" + record_hex(record));
  const Row row = decode_row(operand, any_key, RecordKind::siblings);
  EXPECT_EQ(row.record, record);
  EXPECT_FALSE(row.mark || row.is_damaged());
}

TEST(Row, ComesBackFromItsBytesWithMarkOrDamage) {
  Row row;
  row.record = one_sibling(7);
  row.mark = actor;
  Row back = decode_row(encode_row(row, any_key), any_key, RecordKind::siblings);
  EXPECT_EQ(back.mark, actor);
  EXPECT_EQ(back.record, row.record);
  EXPECT_FALSE(back.is_damaged());
  EXPECT_EQ(canonical_of(encode_row(row, any_key)), encode_record(row.record, any_key));

  row.damaged = {"", "xy"};
  back = decode_row(encode_row(row, any_key), any_key, RecordKind::siblings);
  EXPECT_FALSE(back.mark) << "a damaged row has no mark";
  EXPECT_EQ(back.damaged, row.damaged);
  EXPECT_EQ(back.record, row.record);
  EXPECT_EQ(canonical_of(encode_row(row, any_key)), std::nullopt);
}

std::vector<Bytes> rows_of_each_kind() {
  Row row;
  row.record = one_sibling(7);
  std::vector<Bytes> rows{encode_row(row, any_key)};
  row.mark = actor;
  rows.push_back(encode_row(row, any_key));
  row.damaged = {"", "some bytes", "some other bytes"};
  rows.push_back(encode_row(row, any_key));
  return rows;
}

void expect_kept_as_damaged(const Bytes& bytes) {
  const Row row = decode_row(bytes, any_key, RecordKind::siblings);
  ASSERT_FALSE(row.mark);
  ASSERT_TRUE(row.record.empty());
  ASSERT_EQ(row.damaged, std::vector<Bytes>{bytes}) << to_hex(bytes);
}

TEST(Row, EveryTruncationIsDamagedAndKept) {
  for (const Bytes& row : rows_of_each_kind())
    for (std::size_t size = 0; size < row.size(); ++size)
      expect_kept_as_damaged(row.substr(0, size));
}

TEST(Row, EveryChangedByteIsDamagedAndKept) {
  for (const Bytes& row : rows_of_each_kind())
    for (std::size_t at = 0; at < row.size(); ++at)
      for (int change = 1; change < 256; ++change) {
        Bytes changed = row;
        changed[at] = static_cast<char>(changed[at] ^ change);
        expect_kept_as_damaged(changed);
      }
}

TEST(Row, OfAnotherKeyOrKindIsDamagedAndKept) {
  const Bytes row = rows_of_each_kind()[1];
  EXPECT_TRUE(decode_row(row, "another key", RecordKind::siblings).is_damaged());
  const Row other_kind = decode_row(row, any_key, RecordKind::lww);
  EXPECT_EQ(other_kind.damaged, std::vector<Bytes>{row});
  EXPECT_EQ(other_kind.record.kind, RecordKind::lww);
}

TEST(Row, DamagedAgainAndAgainDoesNotDouble) {
  const RowPolicy policy(RecordKind::siblings);
  Bytes row = rows_of_each_kind()[1];
  const std::size_t grows_by = 64;
  for (int round = 0; round < 30; ++round) {
    const std::size_t before = row.size();
    row.back() = static_cast<char>(row.back() ^ 1);
    row = policy.merge(stored_key, row, {});
    ASSERT_LE(row.size(), before + grows_by);
  }
}

// Bytes of a damaged row, whose list need not be canonical, around a whole record.
Bytes forged(const std::vector<Bytes>& pieces) {
  Bytes out;
  put_u8(out, 2);
  put_varint(out, pieces.size());
  for (const Bytes& piece : pieces) put_bytes(out, piece);
  put_u32(out, checksum32(out));
  return out + encode_record(one_sibling(7), any_key);
}

TEST(Row, OnlyTheCanonicalListOfDamagedBytesIsAccepted) {
  EXPECT_EQ(decode_row(forged({"a", "b"}), any_key, RecordKind::siblings).damaged,
            (std::vector<Bytes>{"a", "b"}));
  for (const auto& pieces : {std::vector<Bytes>{"b", "a"}, {"a", "a"}, {}})
    expect_kept_as_damaged(forged(pieces));
}

TEST(Row, LongListsOfDamagedBytesMergeInLinearTime) {
  std::vector<Bytes> even;
  std::vector<Bytes> odd;
  for (int i = 0; i < 300'000; ++i) {
    Bytes piece(3, '\0');
    for (int byte = 0; byte < 3; ++byte) piece[2 - byte] = static_cast<char>(i >> (8 * byte));
    (i % 2 == 0 ? even : odd).push_back(piece);
  }
  const Bytes operand = forged(odd);
  const ByteView operands[] = {operand};
  const Bytes merged = RowPolicy(RecordKind::siblings).merge(stored_key, forged(even), operands);
  EXPECT_EQ(decode_row(merged, any_key, RecordKind::siblings).damaged.size(), 300'000u);
}

TEST(Row, MarkStaysUnlessAPeerIsAheadForItsActor) {
  Row row;
  row.mark = actor;
  row.record = one_sibling(7);
  merge_into_row(row, one_sibling(6));
  EXPECT_TRUE(row.mark);
  merge_into_row(row, one_sibling(7));
  EXPECT_TRUE(row.mark);
  Record elsewhere;
  elsewhere.vector.raise({{{0, 1}, 2, 3}, 100}, 1);
  merge_into_row(row, elsewhere);
  EXPECT_TRUE(row.mark);
  merge_into_row(row, one_sibling(8));
  EXPECT_FALSE(row.mark);
  EXPECT_EQ(row.record.vector.counter_of(actor), 8u);
}

TEST(Row, MarkGoesWhenAPeerHoldsADetachedDotOfItBeyondTheRow) {
  Row row;
  row.mark = actor;
  row.record = one_sibling(7);
  Record covered;
  covered.vector.add_detached({actor, 7}, 1);
  covered.vector.add_detached({actor, 3}, 1);
  merge_into_row(row, covered);
  EXPECT_TRUE(row.mark) << "the row has those";
  EXPECT_TRUE(row.record.siblings.empty());
  Record elsewhere;
  elsewhere.vector.add_detached({{{0, 1}, 2, 3}, 100}, 1);
  merge_into_row(row, elsewhere);
  EXPECT_TRUE(row.mark);
  Record beyond;
  beyond.vector.add_detached({actor, 9}, 1);
  merge_into_row(row, beyond);
  EXPECT_FALSE(row.mark) << "a dot of its own that this copy has lost";
  EXPECT_EQ(row.record.vector.counter_of(actor), 7u);
  EXPECT_EQ(row.record.vector.highest_of(actor), 9u);
}

TEST(Row, MarkWithoutAnEntryGoesWhenAPeerHasOne) {
  Row row;
  row.mark = actor;
  merge_into_row(row, one_sibling(1));
  EXPECT_FALSE(row.mark);
}

TEST(RowPolicy, WithoutABaseThereIsNoMark) {
  const RowPolicy policy(RecordKind::siblings);
  const Bytes marked = rows_of_each_kind()[1];
  const ByteView operands[] = {marked};
  EXPECT_FALSE(
      decode_row(policy.merge(stored_key, std::nullopt, operands), any_key, RecordKind::siblings)
          .mark);
  EXPECT_FALSE(decode_row(policy.join(stored_key, operands), any_key, RecordKind::siblings).mark);
}

TEST(RowPolicy, AJoinDoesNotHideAnOperandThatWasAhead) {
  const RowPolicy policy(RecordKind::siblings);
  const Bytes ahead = encode_operand(encode_record(one_sibling(8), any_key));
  const Bytes behind = encode_operand(encode_record(one_sibling(6), any_key));
  Record beyond;
  beyond.vector.add_detached({actor, 8}, 1);
  const Bytes detached = encode_operand(encode_record(beyond, any_key));
  for (const auto& [one, two] : {std::pair(ahead, behind), std::pair(behind, ahead),
                                 std::pair(detached, behind), std::pair(behind, detached)}) {
    const ByteView both[] = {one, two};
    const Bytes joined = policy.join(stored_key, both);
    const ByteView operands[] = {joined};
    const Bytes merged = policy.merge(stored_key, rows_of_each_kind()[1], operands);
    EXPECT_FALSE(decode_row(merged, any_key, RecordKind::siblings).mark);
  }
}

TEST(RowPolicy, AcceptsAnyKeyAndAnyBytes) {
  const RowPolicy policy(RecordKind::siblings);
  const Bytes row = rows_of_each_kind()[0];
  const ByteView operands[] = {row, "", "junk"};
  const Row merged =
      decode_row(policy.merge("short", std::nullopt, operands), "", RecordKind::siblings);
  EXPECT_EQ(merged.damaged, (std::vector<Bytes>{"", row, "junk"}));
}

TEST(RowPolicy, NothingIsDroppable) {
  EXPECT_FALSE(RowPolicy(RecordKind::siblings).droppable(stored_key, "", UINT64_MAX));
}

// What rules 3 and "damaged" say of one merge, spelled out over decoded parts.
struct Expected {
  std::optional<Actor> mark;
  std::set<Bytes> damaged;
  Record record;
};

Expected expected_merge(const std::optional<Bytes>& base, const std::vector<Bytes>& operands,
                        RecordKind kind) {
  Expected expected;
  expected.record.kind = kind;
  const Row start = base ? decode_row(*base, any_key, kind) : Row{{}, {}, expected.record};
  expected.record = start.record;
  expected.damaged.insert(start.damaged.begin(), start.damaged.end());
  bool ahead = false;
  for (const Bytes& bytes : operands) {
    const Row operand = decode_row(bytes, any_key, kind);
    expected.damaged.insert(operand.damaged.begin(), operand.damaged.end());
    expected.record = merge_records(expected.record, operand.record);
    if (start.mark)
      ahead |= operand.record.vector.highest_of(*start.mark) >
               start.record.vector.counter_of(*start.mark);
  }
  if (start.mark && !ahead && expected.damaged.empty()) expected.mark = start.mark;
  return expected;
}

Bytes damage(Random& random, Bytes bytes) {
  if (random.chance(0.2)) return bytes.substr(0, random.below(bytes.size()));
  char& byte = bytes[random.below(bytes.size())];
  byte = static_cast<char>(byte ^ (1 << random.below(8)));
  return bytes;
}

// A mark that a record's own vector knows, so that operands are often ahead of it. No row has one
// beside a detached dot of its actor: what brings such a dot takes the mark away.
Bytes any_row(Random& random, RecordKind kind, bool may_be_marked, double damage_chance) {
  Row row;
  row.record = test::any_record(random, kind);
  if (may_be_marked && kind == RecordKind::siblings && random.chance(0.8))
    row.mark = test::any_actor(random);
  const VersionVector& own = row.record.vector;
  if (row.mark && own.highest_of(*row.mark) > own.counter_of(*row.mark)) row.mark.reset();
  if (random.chance(damage_chance)) row.damaged = {"a", "b" + test::any_bytes(random, 2)};
  const Bytes bytes = encode_row(row, any_key);
  return random.chance(damage_chance) ? damage(random, bytes) : bytes;
}

std::vector<ByteView> views(const std::vector<Bytes>& all, std::size_t from, std::size_t to) {
  return {all.begin() + static_cast<std::ptrdiff_t>(from),
          all.begin() + static_cast<std::ptrdiff_t>(to)};
}

std::optional<ByteView> view(const std::optional<Bytes>& bytes) {
  return bytes ? std::optional<ByteView>(*bytes) : std::nullopt;
}

TEST(RowPolicy, EverySplitOfTheOperandsGivesTheSameRow) {
  std::size_t kept = 0;
  std::size_t dropped = 0;
  std::size_t damaged = 0;
  for (const std::uint64_t seed : test::seeds(6000)) {
    SCOPED_TRACE(test::seed_line(seed));
    SeededRandom random(seed, "splits");
    const auto kind = random.chance(0.8) ? RecordKind::siblings : RecordKind::lww;
    const RowPolicy policy(kind);
    const double damage_chance = random.chance(0.5) ? 0 : 0.3;
    std::optional<Bytes> base;
    if (random.chance(0.9)) base = any_row(random, kind, true, damage_chance);
    std::vector<Bytes> operands;
    for (std::uint64_t i = random.below(5); i > 0; --i)
      operands.push_back(any_row(random, kind, random.chance(0.1), damage_chance));

    const Bytes whole = policy.merge(stored_key, view(base), views(operands, 0, operands.size()));
    const Expected expected = expected_merge(base, operands, kind);
    const Row row = decode_row(whole, any_key, kind);
    ASSERT_EQ(row.mark, expected.mark);
    ASSERT_EQ(row.damaged, std::vector<Bytes>(expected.damaged.begin(), expected.damaged.end()));
    ASSERT_EQ(row.record, expected.record);
    (row.mark ? kept : dropped) += base.has_value();
    damaged += row.is_damaged();

    std::optional<Bytes> folded = base;
    for (std::size_t i = 0; i < operands.size(); ++i) {
      const Bytes checked = policy.merge_checked(stored_key, view(folded), operands[i]);
      folded = policy.merge(stored_key, view(folded), views(operands, i, i + 1));
      // Those are the operands that a writer may hand over; of others nothing but a row is asked.
      const Row operand = decode_row(operands[i], any_key, kind);
      ASSERT_TRUE(operand.is_damaged() || checked == *folded);
    }
    ASSERT_TRUE(operands.empty() || *folded == whole);

    // Bit i: a join ends after operand i. Every way to cut the list into runs.
    for (std::uint32_t cuts = 0; !operands.empty() && cuts < 1u << (operands.size() - 1); ++cuts) {
      std::vector<Bytes> joined;
      std::size_t from = 0;
      for (std::size_t i = 0; i < operands.size(); ++i)
        if (i + 1 == operands.size() || (cuts >> i & 1) != 0) {
          joined.push_back(policy.join(stored_key, views(operands, from, i + 1)));
          from = i + 1;
        }
      ASSERT_EQ(to_hex(policy.merge(stored_key, view(base), views(joined, 0, joined.size()))),
                to_hex(whole));
      const Bytes once = policy.join(stored_key, views(joined, 0, joined.size()));
      const ByteView all[] = {once};
      ASSERT_EQ(to_hex(policy.merge(stored_key, view(base), all)), to_hex(whole));
    }
    std::reverse(operands.begin(), operands.end());
    ASSERT_EQ(to_hex(policy.merge(stored_key, view(base), views(operands, 0, operands.size()))),
              to_hex(whole));
    const std::vector<Bytes> twice{whole};
    ASSERT_EQ(to_hex(policy.merge(stored_key, whole, views(twice, 0, 1))), to_hex(whole));
  }
  EXPECT_GT(kept, 500u);
  EXPECT_GT(dropped, 500u);
  EXPECT_GT(damaged, 500u);
}

// Most writes come from who has seen all that the row holds, and are not decoded to be merged.
TEST(RowPolicy, ARecordThatHasSeenTheRowIsMergedLikeAnyOther) {
  std::size_t kept = 0;
  std::size_t verbatim = 0;
  for (const std::uint64_t seed : test::seeds(4000)) {
    SCOPED_TRACE(test::seed_line(seed));
    SeededRandom random(seed, "superseded");
    const auto kind = random.chance(0.7) ? RecordKind::siblings : RecordKind::lww;
    const RowPolicy policy(kind);
    const Bytes base = any_row(random, kind, true, 0);
    const Row row = decode_row(base, any_key, kind);
    const Record newer = merge_records(row.record, test::any_record(random, kind));
    const std::vector<Bytes> operand{encode_operand(encode_record(newer, any_key))};
    const Bytes merged = policy.merge(stored_key, base, views(operand, 0, 1));
    const Expected expected = expected_merge(base, operand, kind);
    const Row result = decode_row(merged, any_key, kind);
    ASSERT_EQ(result.mark, expected.mark);
    ASSERT_EQ(result.record, expected.record);
    ASSERT_EQ(to_hex(merged), to_hex(encode_row(result, any_key)));
    kept += result.mark.has_value();
    verbatim += result.record == newer;
  }
  EXPECT_GT(kept, 100u);
  EXPECT_GT(verbatim, 3000u);
}

}  // namespace
}  // namespace ringwright
