#pragma once

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "engine/base/random.h"
#include "tests/conformance/engine_conformance.h"

// The suite itself: include it in exactly one source file of a program. An engine that loses a test
// here breaks a promise of engine/storage_engine.h.
namespace ringwright {

inline const Bytes zero_byte(1, '\0');

TEST_P(EngineConformance, keeps_keys_in_byte_order_and_rows_to_the_byte) {
  const Rows rows = {{zero_byte, "zero"},
                     {Bytes("\0\0", 2), Bytes("a\0b", 3)},
                     {Bytes("\0a", 2), ""},
                     {"A", Bytes(100'000, 'x')},
                     {"a", "\xff\xfe"},
                     {Bytes("a\0", 2), "behind its prefix"},
                     {"ab", "\n\r"},
                     {"\x7f", "below the sign bit"},
                     {"\x80", "above the sign bit"},
                     {"\xff", "last but one"},
                     {"\xff\xff", "last"}};
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) put(row->first, row->second);
  EXPECT_EQ(scan(), rows);
  for (const auto& [key, row] : rows) EXPECT_EQ(get(key), row);
}

TEST_P(EngineConformance, tells_an_absent_row_from_an_empty_one) {
  put("empty", "");
  EXPECT_EQ(get("empty"), std::optional<Bytes>(""));
  EXPECT_EQ(get("absent"), std::nullopt);
  EXPECT_EQ(get(""), std::nullopt);
}

TEST_P(EngineConformance, answers_multi_get_in_the_order_asked) {
  put("a", "1");
  put("c", "3");
  const std::vector<Bytes> keys = {"c", "b", "a", "c", "d"};
  const auto found = engine_->multi_get(keys, MayBlock::yes);
  ASSERT_EQ(found.size(), keys.size());
  const std::vector<std::optional<Bytes>> expected = {"3", std::nullopt, "1", "3", std::nullopt};
  for (std::size_t i = 0; i < keys.size(); ++i) {
    ASSERT_TRUE(found[i]) << found[i].status().to_string();
    EXPECT_EQ(*found[i], expected[i]) << "key " << i;
  }
  EXPECT_TRUE(engine_->multi_get({}, MayBlock::yes).empty());
}

TEST_P(EngineConformance, applies_a_batch_in_its_order) {
  put("kept", "old");
  WriteBatch batch;
  batch.put("a", "first");
  batch.put("a", "second");
  batch.put("b", "gone");
  batch.remove("b");
  batch.remove("c");
  batch.put("c", "back");
  batch.remove("kept");
  write(batch);
  EXPECT_EQ(scan(), (Rows{{"a", "second"}, {"c", "back"}}));
}

TEST_P(EngineConformance, sequences_grow_and_removes_of_nothing_are_fine) {
  const std::uint64_t first = put("a", "1");
  const std::uint64_t second = remove("never there");
  const std::uint64_t third = put("a", "2");
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_TRUE(engine_->write(WriteBatch(), MayBlock::yes));
  EXPECT_EQ(engine_->sync(third, MayBlock::yes), ok_status());
  EXPECT_EQ(engine_->sync(first, MayBlock::yes), ok_status());
}

TEST_P(EngineConformance, removes_a_row_until_it_is_put_again) {
  put("a", "1");
  remove("a");
  EXPECT_EQ(get("a"), std::nullopt);
  EXPECT_TRUE(scan().empty());
  put("a", "2");
  EXPECT_EQ(get("a"), "2");
}

TEST_P(EngineConformance, iterates_ranges_from_start_up_to_stop) {
  for (const char* const key : {"a", "b", "c", "d"}) put(key, key);
  EXPECT_EQ(scan("b", "d"), (Rows{{"b", "b"}, {"c", "c"}}));
  EXPECT_EQ(scan("b", "bb"), (Rows{{"b", "b"}}));
  EXPECT_EQ(scan("bb", ""), (Rows{{"c", "c"}, {"d", "d"}}));
  EXPECT_EQ(scan("", "b"), (Rows{{"a", "a"}}));
  EXPECT_EQ(scan("", "").size(), 4u);
  EXPECT_TRUE(scan("c", "c").empty());
  EXPECT_TRUE(scan("d", "a").empty());
  EXPECT_TRUE(scan("e", "").empty());
}

TEST_P(EngineConformance, iterator_sees_the_moment_when_it_was_made) {
  for (const Direction direction : {Direction::forward, Direction::reverse}) {
    ASSERT_EQ(engine_->drop_range({}), ok_status());
    Rows before;
    for (int i = 100; i < 400; ++i) {
      before.emplace_back("k" + std::to_string(i), "old");
      put(before.back().first, before.back().second);
    }
    if (direction == Direction::reverse) std::reverse(before.begin(), before.end());
    const auto iterator = engine_->iterate({"k", "l"}, direction);
    Rows seen;
    for (int i = 0; i < 10 && iterator->valid(); ++i, iterator->next())
      seen.emplace_back(iterator->key(), iterator->value());
    for (int i = 100; i < 400; i += 2) put("k" + std::to_string(i), "new");
    for (int i = 101; i < 400; i += 2) remove("k" + std::to_string(i));
    put("k250b", "added");
    ASSERT_EQ(engine_->drop_range({"k390", "k400"}), ok_status());
    const Rows rest = read_all(*iterator);
    seen.insert(seen.end(), rest.begin(), rest.end());
    EXPECT_EQ(seen, before);
  }
}

// Each batch writes one number into every row, so a snapshot that is one shows one number.
TEST_P(EngineConformance, iterates_both_ways_over_a_snapshot_while_it_is_written) {
  constexpr int rows = 50;
  constexpr int batches = 60;
  const auto batch_of = [](int number) {
    WriteBatch batch;
    for (int i = 0; i < rows; ++i) batch.put("k" + std::to_string(100 + i), std::to_string(number));
    return batch;
  };
  write(batch_of(0));
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int number = 1; number <= batches; ++number) write(batch_of(number));
    done = true;
  });
  int last = 0;
  for (int round = 0; !done || round < 2; ++round) {
    const Direction direction = round % 2 == 0 ? Direction::forward : Direction::reverse;
    const Rows seen = read_all(*engine_->iterate({"k", "l"}, direction));
    EXPECT_EQ(seen.size(), static_cast<std::size_t>(rows));
    for (const auto& [key, value] : seen) EXPECT_EQ(value, seen.front().second) << key;
    const int number = seen.empty() ? last : std::stoi(seen.front().second);
    EXPECT_GE(number, last) << "a snapshot went back in time";
    last = number;
  }
  writer.join();
}

TEST_P(EngineConformance, drops_a_range_and_nothing_beside_it) {
  for (const char* const key : {"a", "b", "c", "d", "e"}) put(key, key);
  EXPECT_EQ(engine_->drop_range({"b", "d"}), ok_status());
  EXPECT_EQ(scan(), (Rows{{"a", "a"}, {"d", "d"}, {"e", "e"}}));
  put("c", "again");
  EXPECT_EQ(get("c"), "again");
  EXPECT_EQ(engine_->drop_range({"x", "b"}), ok_status());
  EXPECT_EQ(scan().size(), 4u);
  EXPECT_EQ(engine_->drop_range({"d", ""}), ok_status());
  EXPECT_EQ(scan(), (Rows{{"a", "a"}, {"c", "again"}}));
  EXPECT_EQ(engine_->drop_range({"", ""}), ok_status());
  EXPECT_TRUE(scan().empty());
  if (!keeps_writes()) return;
  reopen();
  EXPECT_TRUE(scan().empty());
}

TEST_P(EngineConformance, refuses_merges_without_the_capability) {
  if (merges()) GTEST_SKIP() << "this engine merges";
  put("a", "x\n");
  WriteBatch batch;
  batch.put("b", "1");
  batch.merge("a", "y\n");
  EXPECT_EQ(engine_->write(batch, MayBlock::yes).status().code(), Code::invalid);
  EXPECT_EQ(scan(), (Rows{{"a", "x\n"}}));
}

TEST_P(EngineConformance, merges_into_rows_and_into_nothing) {
  if (!merges()) GTEST_SKIP() << "this engine does not merge";
  merge("absent", "b\na\n");
  EXPECT_EQ(get("absent"), "a\nb\n");
  put("row", "m\n");
  merge("row", "z\n");
  merge("row", "a\n");
  EXPECT_EQ(get("row"), "a\nm\nz\n");
  const Rows expected = {{"absent", "a\nb\n"}, {"row", "a\nm\nz\n"}};
  EXPECT_EQ(scan(), expected);
  ASSERT_EQ(engine_->flush(), ok_status());
  EXPECT_EQ(scan(), expected);
}

TEST_P(EngineConformance, a_put_or_remove_ends_what_was_merged_before) {
  if (!merges()) GTEST_SKIP() << "this engine does not merge";
  merge("a", "1\n");
  put("a", "2\n");
  merge("a", "3\n");
  EXPECT_EQ(get("a"), "2\n3\n");
  remove("a");
  EXPECT_EQ(get("a"), std::nullopt);
  merge("a", "4\n");
  EXPECT_EQ(get("a"), "4\n");
  WriteBatch batch;
  batch.merge("a", "5\n");
  batch.remove("a");
  batch.merge("a", "6\n");
  batch.merge("a", "7\n");
  batch.merge("b", "8\n");
  batch.put("b", "9\n");
  write(batch);
  EXPECT_EQ(scan(), (Rows{{"a", "6\n7\n"}, {"b", "9\n"}}));
}

TEST_P(EngineConformance, merges_many_operands_over_flushes_and_reopens) {
  if (!merges()) GTEST_SKIP() << "this engine does not merge";
  put("base", "0\n");
  for (int i = 0; i < 60; ++i) {
    merge("base", std::to_string(1000 + i) + "\n");
    merge("bare", std::to_string(1000 + i) + "\n");
    if (i % 20 == 19) {
      ASSERT_EQ(engine_->flush(), ok_status());
    }
    if (i == 45 && keeps_writes()) reopen();
  }
  Bytes expected;
  for (int i = 0; i < 60; ++i) expected += std::to_string(1000 + i) + "\n";
  EXPECT_EQ(get("bare"), expected);
  EXPECT_EQ(get("base"), "0\n" + expected);
}

TEST_P(EngineConformance, joined_operands_merge_like_single_ones) {
  if (!merges()) GTEST_SKIP() << "this engine does not merge";
  const WordsPolicy policy;
  const std::vector<Bytes> operands = {"c\n", "a\n", "c\nb\n", "d\n"};
  put("single", "base\n");
  put("joined", "base\n");
  for (const Bytes& operand : operands) merge("single", operand);
  const std::vector<ByteView> first = {operands[0], operands[1]};
  const std::vector<ByteView> second = {operands[2], operands[3]};
  merge("joined", policy.join("joined", second));
  merge("joined", policy.join("joined", first));
  EXPECT_EQ(get("joined"), get("single"));
}

TEST_P(EngineConformance, flush_then_reopen_keeps_everything) {
  put("a", "1");
  put("b", "2");
  remove("a");
  ASSERT_EQ(engine_->flush(), ok_status());
  EXPECT_EQ(scan(), (Rows{{"b", "2"}}));
  reopen();
  EXPECT_EQ(scan(), (Rows{{"b", "2"}}));
  ASSERT_EQ(engine_->flush(), ok_status());
  EXPECT_EQ(get("b"), "2");
}

TEST_P(EngineConformance, reopen_keeps_what_the_durability_class_promises) {
  if (!keeps_writes()) GTEST_SKIP() << "durability none promises nothing";
  Rows expected;
  for (int round = 0; round < 4; ++round) {
    std::uint64_t sequence = 0;
    for (int i = 0; i < 20; ++i) {
      expected.emplace_back("k" + std::to_string(1000 + round * 100 + i), Bytes(50, 'v'));
      sequence = put(expected.back().first, expected.back().second);
    }
    ASSERT_EQ(engine_->sync(sequence, MayBlock::yes), ok_status());
    ASSERT_EQ(engine_->sync(sequence, MayBlock::no), ok_status()) << "covered already";
    reopen();
    ASSERT_EQ(scan(), expected) << "round " << round;
  }
  const std::uint64_t before = put("last", "1");
  reopen();
  EXPECT_LT(before, put("last", "2")) << "a sequence must not be given twice";
}

TEST_P(EngineConformance, checkpoint_is_a_copy_that_opens) {
  put("a", "1");
  put("b", "2");
  if (merges()) merge("m", "x\n");
  const Rows expected = scan();
  const Status made = engine_->checkpoint("copy");
  ASSERT_TRUE(made.is_ok()) << made.to_string();
  put("a", "changed");
  remove("b");
  const auto copy = GetParam().make();
  const Status opened = copy->open(context("copy"));
  ASSERT_TRUE(opened.is_ok()) << opened.to_string();
  EXPECT_EQ(read_all(*copy->iterate({}, Direction::forward)), expected);
  EXPECT_EQ(copy->close(), ok_status());
  EXPECT_EQ(get("a"), "changed");
}

TEST_P(EngineConformance, refuses_a_directory_that_another_instance_has) {
  const auto second = GetParam().make();
  const Status refused = second->open(context());
  EXPECT_EQ(refused.code(), Code::locked) << refused.to_string();
  put("a", "1");
  EXPECT_EQ(get("a"), "1");
}

TEST_P(EngineConformance, refuses_a_directory_of_another_engine) {
  ASSERT_EQ(disk_->make_directories("foreign"), ok_status());
  ASSERT_EQ(disk_->replace("foreign/ENGINE", "ringwright-engine 1\nengine stranger\nformat 1\n"),
            ok_status());
  const auto foreign = GetParam().make();
  const Status refused = foreign->open(context("foreign"));
  EXPECT_EQ(refused.code(), Code::mismatch) << refused.to_string();
  EXPECT_NE(refused.message().find("stranger"), std::string::npos) << refused.to_string();
}

TEST_P(EngineConformance, refuses_an_unknown_option_and_names_the_nearest) {
  EngineContext misspelt = context("other");
  misspelt.options["no_such_option_at_all"] = "1";
  const Status refused = GetParam().make()->open(misspelt);
  EXPECT_EQ(refused.code(), Code::invalid) << refused.to_string();
  EXPECT_NE(refused.message().find("no_such_option_at_all"), std::string::npos);
  if (GetParam().an_option.empty()) return;
  misspelt.options = {{GetParam().an_option + "x", "1"}};
  const Status pointed = GetParam().make()->open(misspelt);
  EXPECT_EQ(pointed.code(), Code::invalid);
  EXPECT_NE(pointed.message().find("'" + GetParam().an_option + "'"), std::string::npos)
      << pointed.to_string();
}

TEST_P(EngineConformance, a_closed_engine_says_so_and_closes_again) {
  put("a", "1");
  ASSERT_EQ(engine_->close(), ok_status());
  const Bytes key = "a";
  const auto found = engine_->multi_get({&key, 1}, MayBlock::yes);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].status().code(), Code::closed);
  WriteBatch batch;
  batch.put("b", "2");
  EXPECT_EQ(engine_->write(batch, MayBlock::yes).status().code(), Code::closed);
  EXPECT_EQ(engine_->sync(1, MayBlock::yes).code(), Code::closed);
  const auto iterator = engine_->iterate({}, Direction::forward);
  EXPECT_FALSE(iterator->valid());
  EXPECT_EQ(iterator->status().code(), Code::closed);
  EXPECT_EQ(engine_->drop_range({}).code(), Code::closed);
  EXPECT_EQ(engine_->flush().code(), Code::closed);
  EXPECT_EQ(engine_->checkpoint("copy").code(), Code::closed);
  EXPECT_EQ(engine_->approximate_bytes({}), 0u);
  EXPECT_GE(engine_->pressure(), 0);
  EXPECT_EQ(engine_->stats().approximate_keys, 0u);
  EXPECT_EQ(engine_->close(), ok_status());
  EXPECT_EQ(engine_->open(context()).code(), Code::closed) << "closing is final";
}

TEST_P(EngineConformance, calls_that_may_not_block_are_right_or_decline) {
  std::map<Bytes, Bytes> model;
  for (int i = 0; i < 200; ++i) {
    const Bytes key = "k" + std::to_string(i % 50);
    WriteBatch batch;
    batch.put(key, std::to_string(i));
    const auto written = engine_->write(batch, MayBlock::no);
    if (written)
      model[key] = std::to_string(i);
    else
      ASSERT_EQ(written.status().code(), Code::would_block) << written.status().to_string();
    if (written && i % 10 == 0) {
      const Status synced = engine_->sync(*written, MayBlock::no);
      EXPECT_TRUE(synced.is_ok() || synced.code() == Code::would_block) << synced.to_string();
    }
    const auto found = engine_->multi_get({&key, 1}, MayBlock::no);
    ASSERT_EQ(found.size(), 1u);
    if (!found[0]) {
      EXPECT_EQ(found[0].status().code(), Code::would_block);
      continue;
    }
    const auto expected = model.find(key);
    EXPECT_EQ(*found[0],
              expected == model.end() ? std::nullopt : std::optional<Bytes>(expected->second));
  }
}

TEST_P(EngineConformance, serves_many_threads) {
  constexpr int thread_count = 4;
  constexpr int rounds = 150;
  std::vector<std::thread> threads;
  std::vector<int> wrong(thread_count, 0);
  for (int id = 0; id < thread_count; ++id)
    threads.emplace_back([this, id, &wrong] {
      for (int i = 0; i < rounds; ++i) {
        const Bytes key = "t" + std::to_string(id) + "." + std::to_string(i % 10);
        WriteBatch batch;
        batch.put(key, std::to_string(i));
        batch.put(key + "'", std::to_string(i));
        const auto written = engine_->write(batch, MayBlock::yes);
        const std::vector<Bytes> keys = {key, key + "'"};
        const auto found = engine_->multi_get(keys, MayBlock::yes);
        const std::optional<Bytes> expected = std::to_string(i);
        bool right =
            written && found[0] && found[1] && *found[0] == expected && *found[1] == expected;
        if (right && i % 10 == 0) right = engine_->sync(*written, MayBlock::yes).is_ok();
        // Both rows of any batch come together in a snapshot.
        const auto iterator = engine_->iterate({"t", "u"}, Direction::forward);
        std::size_t rows = 0;
        for (; iterator->valid(); iterator->next()) ++rows;
        if (!right || rows % 2 != 0) ++wrong[static_cast<std::size_t>(id)];
      }
    });
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(wrong, std::vector<int>(thread_count, 0));
  EXPECT_EQ(scan().size(), thread_count * 20u);
}

TEST_P(EngineConformance, figures_follow_the_rows) {
  EXPECT_EQ(engine_->approximate_bytes({"a", "b"}), 0u);
  for (int i = 0; i < 200; ++i) put("a" + std::to_string(i), Bytes(1000, 'x'));
  ASSERT_EQ(engine_->flush(), ok_status());
  const double pressure = engine_->pressure();
  EXPECT_TRUE(pressure >= 0 && pressure <= 1) << pressure;
  const EngineStats stats = engine_->stats();
  EXPECT_GT(stats.approximate_keys, 0u);
  EXPECT_GT(stats.disk_bytes + stats.memory_bytes, 0u);
  EXPECT_LE(engine_->approximate_bytes({"b", "c"}), engine_->approximate_bytes({"a", "b"}));
}

// Random operations on the engine and on a map at once.
class EngineAndModel {
 public:
  EngineAndModel(std::uint64_t seed, bool merges)
      : random_(seed, "engine model"), merges_(merges) {}

  Bytes draw_key() { return "k" + std::to_string(random_.below(40)); }
  bool chance(double share) { return random_.chance(share); }

  WriteBatch draw_batch() {
    WriteBatch batch;
    const std::uint64_t operations = 1 + random_.below(4);
    for (std::uint64_t i = 0; i < operations; ++i) {
      const Bytes key = draw_key();
      const Bytes word = std::to_string(random_.below(1000)) + "\n";
      const std::uint64_t kind = random_.below(merges_ ? 10 : 6);
      if (kind < 4) {
        rows[key] = word;
        batch.put(key, word);
      } else if (kind < 6) {
        rows.erase(key);
        batch.remove(key);
      } else {
        const ByteView operand = word;
        const auto at = rows.find(key);
        const auto base = at == rows.end() ? std::nullopt : std::optional<ByteView>(at->second);
        rows[key] = policy_.merge(key, base, {&operand, 1});
        batch.merge(key, word);
      }
    }
    return batch;
  }

  void drop(const KeyRange& range) {
    if (range.start < range.stop)
      rows.erase(rows.lower_bound(range.start), rows.lower_bound(range.stop));
  }

  std::vector<std::pair<Bytes, Bytes>> in(const KeyRange& range) const {
    if (range.start >= range.stop) return {};
    return {rows.lower_bound(range.start), rows.lower_bound(range.stop)};
  }

  std::map<Bytes, Bytes> rows;

 private:
  SeededRandom random_;
  bool merges_;
  WordsPolicy policy_;
};

TEST_P(EngineConformance, behaves_like_a_map) {
  const std::uint64_t seed = test_seed(20231);
  SCOPED_TRACE("RINGWRIGHT_TEST_SEED=" + std::to_string(seed));
  EngineAndModel model(seed, merges());
  std::uint64_t sequence = 0;
  for (int step = 0; step < 800; ++step) {
    SCOPED_TRACE("step " + std::to_string(step));
    sequence = write(model.draw_batch());
    const KeyRange range{model.draw_key(), model.draw_key()};
    if (model.chance(0.02)) {
      ASSERT_EQ(engine_->drop_range(range), ok_status());
      model.drop(range);
    }
    ASSERT_EQ(scan(range.start, range.stop), model.in(range));
    const Bytes key = model.draw_key();
    const auto expected = model.rows.find(key);
    ASSERT_EQ(get(key),
              expected == model.rows.end() ? std::nullopt : std::optional<Bytes>(expected->second));
    if (model.chance(0.05)) {
      ASSERT_EQ(engine_->sync(sequence, MayBlock::yes), ok_status());
    }
    if (model.chance(0.02)) {
      ASSERT_EQ(engine_->flush(), ok_status());
    }
    if (!keeps_writes() || !model.chance(0.02)) continue;
    ASSERT_EQ(engine_->sync(sequence, MayBlock::yes), ok_status());
    reopen();
  }
  EXPECT_EQ(scan(), Rows(model.rows.begin(), model.rows.end()));
}

// A program may include the suite and leave the instances to a test of names that may be absent.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EngineConformance);

}  // namespace ringwright
