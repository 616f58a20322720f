#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "engine/storage_engine.h"
#include "tests/support/words_policy.h"

namespace ringwright {

// What the suite needs to know of an engine, or of a stack of decorators around one.
//
// To run the suite on an engine of your own, in one source file of a GoogleTest program:
//   #include "tests/conformance/engine_conformance_tests.h"
//   INSTANTIATE_TEST_SUITE_P(Mine, EngineConformance, testing::Values(EngineUnderTest{...}),
//                            engine_under_test_name);
struct EngineUnderTest {
  std::string name;                                      // letters, digits, underscores
  std::function<std::unique_ptr<StorageEngine>()> make;  // not open yet
  Durability durability = Durability::os;
  std::function<std::shared_ptr<Disk>()> make_disk;  // an empty one for each test
  EngineOptions options = {};
  std::string an_option = {};  // the name of any option, for the test of misspelt ones
  // Where not null it is read in place of all this when a test starts: for a program that learns
  // only then what it tests.
  std::shared_ptr<const EngineUnderTest> instead = {};
};

inline void PrintTo(const EngineUnderTest& engine, std::ostream* out) { *out << engine.name; }

inline std::string engine_under_test_name(const testing::TestParamInfo<EngineUnderTest>& tested) {
  return tested.param.name;
}

class EngineConformance : public testing::TestWithParam<EngineUnderTest> {
 protected:
  using Row = std::pair<Bytes, Bytes>;
  using Rows = std::vector<Row>;

  // Hides the one of gtest, whose value is fixed when the program starts.
  static const EngineUnderTest& GetParam() {
    const EngineUnderTest& given = testing::TestWithParam<EngineUnderTest>::GetParam();
    return given.instead ? *given.instead : given;
  }

  void SetUp() override {
    disk_ = GetParam().make_disk();
    open_engine();
  }

  void TearDown() override {
    if (!engine_) return;
    EXPECT_EQ(engine_->close(), ok_status());
    engine_.reset();
  }

  EngineContext context(std::string path = "engine") const {
    return {std::move(path), GetParam().options, GetParam().durability,
            std::make_shared<WordsPolicy>(), disk_};
  }

  void open_engine() {
    engine_ = GetParam().make();
    const Status opened = engine_->open(context());
    ASSERT_TRUE(opened.is_ok()) << opened.to_string();
  }

  void reopen() {
    ASSERT_EQ(engine_->close(), ok_status());
    engine_.reset();
    open_engine();
  }

  bool keeps_writes() const { return GetParam().durability != Durability::none; }
  bool merges() const { return engine_->capabilities().merge; }

  std::uint64_t write(const WriteBatch& batch) {
    const auto written = engine_->write(batch, MayBlock::yes);
    EXPECT_TRUE(written) << written.status().to_string();
    return written ? *written : 0;
  }
  std::uint64_t put(Bytes key, Bytes row) {
    WriteBatch batch;
    batch.put(std::move(key), std::move(row));
    return write(batch);
  }
  std::uint64_t remove(Bytes key) {
    WriteBatch batch;
    batch.remove(std::move(key));
    return write(batch);
  }
  std::uint64_t merge(Bytes key, Bytes operand) {
    WriteBatch batch;
    batch.merge(std::move(key), std::move(operand));
    return write(batch);
  }

  static std::optional<Bytes> get_from(StorageEngine& engine, const Bytes& key) {
    const auto found = engine.multi_get({&key, 1}, MayBlock::yes);
    EXPECT_EQ(found.size(), 1u);
    if (found.size() != 1) return std::nullopt;
    EXPECT_TRUE(found[0]) << found[0].status().to_string();
    return found[0] ? *found[0] : std::nullopt;
  }
  std::optional<Bytes> get(const Bytes& key) { return get_from(*engine_, key); }

  static Rows read_all(Iterator& iterator) {
    Rows rows;
    for (; iterator.valid(); iterator.next()) rows.emplace_back(iterator.key(), iterator.value());
    EXPECT_TRUE(iterator.status().is_ok()) << iterator.status().to_string();
    return rows;
  }
  // Reads the range both ways, which must show the same rows.
  Rows scan(const Bytes& start, const Bytes& stop) {
    const Rows rows = read_all(*engine_->iterate({start, stop}, Direction::forward));
    Rows backwards = read_all(*engine_->iterate({start, stop}, Direction::reverse));
    std::reverse(backwards.begin(), backwards.end());
    EXPECT_EQ(backwards, rows) << "the reverse iteration differs";
    return rows;
  }
  Rows scan() { return scan({}, {}); }

  // A run's seed: RINGWRIGHT_TEST_SEED, or the default; printed by whoever draws from it.
  static std::uint64_t test_seed(std::uint64_t otherwise) {
    const char* const given = std::getenv("RINGWRIGHT_TEST_SEED");
    return given == nullptr ? otherwise : std::strtoull(given, nullptr, 10);
  }

  std::shared_ptr<Disk> disk_;
  std::unique_ptr<StorageEngine> engine_;
};

}  // namespace ringwright
