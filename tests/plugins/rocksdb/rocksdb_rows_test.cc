#include <vector>

#include "tests/plugins/rocksdb/rocksdb_test_support.h"

namespace ringwright {
namespace {

std::string keys_in(StorageEngine& engine, const KeyRange& range) {
  std::string keys;
  const auto iterator = engine.iterate(range, Direction::forward);
  for (; iterator->valid(); iterator->next()) keys.append(iterator->key()).append(" ");
  EXPECT_TRUE(iterator->status().is_ok()) << iterator->status().to_string();
  return keys;
}

class RocksdbRowsTest : public RocksdbTest {
 protected:
  void fill(std::string_view letters) {
    for (const char letter : letters) put(Bytes(1, letter), Bytes(100, letter));
  }
};

TEST_F(RocksdbRowsTest, iterates_a_range_of_one_snapshot) {
  ASSERT_TRUE(open().is_ok());
  fill("abcde");
  const auto iterator = engine_->iterate({"b", "d"}, Direction::forward);
  put("c", "changed");
  put("bb", "new");
  ASSERT_TRUE(iterator->valid());
  EXPECT_EQ(iterator->key(), "b");
  iterator->next();
  ASSERT_TRUE(iterator->valid());
  EXPECT_EQ(iterator->key(), "c");
  EXPECT_EQ(iterator->value(), Bytes(100, 'c'));
  iterator->next();
  EXPECT_FALSE(iterator->valid());
  EXPECT_TRUE(iterator->status().is_ok());
  EXPECT_EQ(keys_in(*engine_, {"d", ""}), "d e ");
  EXPECT_EQ(keys_in(*engine_, {"d", "b"}), "");
}

TEST_F(RocksdbRowsTest, an_iterator_shows_merged_rows) {
  ASSERT_TRUE(open().is_ok());
  put("a", "base");
  merge("a", "x");
  merge("b", "y");
  const auto iterator = engine_->iterate({}, Direction::forward);
  ASSERT_TRUE(iterator->valid());
  EXPECT_EQ(iterator->value(), "[base]+x");
  iterator->next();
  ASSERT_TRUE(iterator->valid());
  EXPECT_EQ(iterator->value(), "[]+y");
}

TEST_F(RocksdbRowsTest, drops_a_range_for_good) {
  for (const Durability durability : {Durability::os, Durability::disk}) {
    context_.durability = durability;
    context_.path = durability_name(durability);
    ASSERT_TRUE(open().is_ok());
    fill("abcdef");
    merge("g", "operand");
    ASSERT_TRUE(engine_->flush().is_ok());
    fill("e");
    ASSERT_TRUE(engine_->drop_range({"b", "d"}).is_ok());
    EXPECT_EQ(keys_in(*engine_, {}), "a d e f g ");
    ASSERT_TRUE(engine_->drop_range({"e", ""}).is_ok());
    ASSERT_TRUE(engine_->drop_range({"z", "b"}).is_ok());
    reopen();
    EXPECT_EQ(keys_in(*engine_, {}), "a d ");
    EXPECT_EQ(shown("e"), "absent");
    ASSERT_TRUE(engine_->drop_range({}).is_ok());
    ASSERT_TRUE(engine_->drop_range({}).is_ok());
    EXPECT_EQ(keys_in(*engine_, {}), "");
  }
}

TEST_F(RocksdbRowsTest, a_checkpoint_opens_as_an_engine_and_does_not_change) {
  for (const Durability durability : {Durability::none, Durability::os, Durability::disk}) {
    context_.durability = durability;
    context_.path = durability_name(durability);
    ASSERT_TRUE(open().is_ok());
    fill("abc");
    const std::string copy = "copies/" + context_.path;
    const Status made = engine_->checkpoint(copy);
    ASSERT_TRUE(made.is_ok()) << made.to_string();
    fill("d");
    RocksdbEngine copied;
    EngineContext copied_context = context_;
    copied_context.path = copy;
    const Status opened = copied.open(copied_context);
    ASSERT_TRUE(opened.is_ok()) << opened.to_string();
    EXPECT_EQ(keys_in(copied, {}), "a b c ");
    EXPECT_FALSE(engine_->checkpoint(copy).is_ok());
  }
}

TEST_F(RocksdbRowsTest, sizes_grow_with_the_rows) {
  ASSERT_TRUE(open().is_ok());
  EXPECT_EQ(engine_->approximate_bytes({}), 0u);
  for (int i = 0; i < 5000; ++i) put("key" + std::to_string(i), Bytes(100, 'v'));
  EXPECT_GT(engine_->approximate_bytes({}), 100'000u);
  EXPECT_GT(engine_->stats().memory_bytes, 0u);
  ASSERT_TRUE(engine_->flush().is_ok());
  EXPECT_GT(engine_->approximate_bytes({}), 10'000u);
  EXPECT_EQ(engine_->approximate_bytes({"z", "a"}), 0u);
  const EngineStats stats = engine_->stats();
  EXPECT_GT(stats.disk_bytes, 10'000u);
  EXPECT_NEAR(static_cast<double>(stats.approximate_keys), 5000, 500);
}

}  // namespace
}  // namespace ringwright
