#include <rocksdb/db.h>

#include "plugins/rocksdb/merge_operator.h"
#include "plugins/rocksdb/options.h"
#include "tests/plugins/rocksdb/rocksdb_test_support.h"

namespace ringwright {
namespace {

class RocksdbMergeTest : public RocksdbTest {
 protected:
  // Compacts everything with the database opened straight, since the engine leaves compaction to
  // RocksDB.
  void compact() {
    ASSERT_TRUE(engine_->close().is_ok());
    auto options = make_rocksdb_options(context_.options, make_merge_operator(policy_));
    ASSERT_TRUE(options.has_value());
    rocksdb::DB* opened = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(*options, real_directory(), &opened).ok());
    const std::unique_ptr<rocksdb::DB> db(opened);
    rocksdb::CompactRangeOptions all;
    all.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
    ASSERT_TRUE(db->CompactRange(all, nullptr, nullptr).ok());
    ASSERT_TRUE(db->Close().ok());
  }
};

constexpr int operand_count = 20;

std::string operands_shown() {
  std::string all;
  for (int i = 0; i < operand_count; ++i) all += "+" + std::to_string(i);
  return all;
}

TEST_F(RocksdbMergeTest, a_read_folds_all_operands_over_the_base) {
  ASSERT_TRUE(open().is_ok());
  put("based", "row");
  for (int i = 0; i < operand_count; ++i) {
    merge("based", std::to_string(i));
    merge("bare", std::to_string(i));
  }
  EXPECT_EQ(policy_->merges, 0);  // writes are blind
  EXPECT_EQ(shown("based"), "[row]" + operands_shown());
  EXPECT_EQ(shown("bare"), "[]" + operands_shown());
  EXPECT_GT(policy_->merges, 0);
  EXPECT_EQ(policy_->joins, 0);
  EXPECT_EQ(shown("based", MayBlock::no), "[row]" + operands_shown());
}

TEST_F(RocksdbMergeTest, a_flush_joins_operands_that_have_no_base_in_sight) {
  ASSERT_TRUE(open().is_ok());
  put("key", "row");
  ASSERT_TRUE(engine_->flush().is_ok());
  for (int i = 0; i < operand_count; ++i) merge("key", std::to_string(i));
  ASSERT_TRUE(engine_->flush().is_ok());
  EXPECT_GT(policy_->joins, 0);
  EXPECT_EQ(policy_->merges, 0);  // an operand is never taken for a row
  EXPECT_EQ(shown("key"), "[row]" + operands_shown());
}

TEST_F(RocksdbMergeTest, a_compaction_folds_operands_into_the_base) {
  ASSERT_TRUE(open().is_ok());
  put("key", "row");
  ASSERT_TRUE(engine_->flush().is_ok());
  for (int i = 0; i < operand_count; ++i) merge("key", std::to_string(i));
  ASSERT_TRUE(engine_->flush().is_ok());
  compact();
  EXPECT_GT(policy_->merges, 0);
  ASSERT_TRUE(open().is_ok());
  const int merges = policy_->merges;
  EXPECT_EQ(shown("key"), "[row]" + operands_shown());
  EXPECT_EQ(policy_->merges, merges);  // a plain row by now
}

TEST_F(RocksdbMergeTest, a_removed_base_is_no_base) {
  ASSERT_TRUE(open().is_ok());
  put("key", "row");
  WriteBatch batch;
  batch.remove("key");
  batch.merge("key", "x");
  write(batch);
  EXPECT_EQ(shown("key"), "[]+x");
}

// A policy that fails by exception, which the contract of a policy rules out.
class ThrowingPolicy final : public RecordPolicy {
 public:
  Bytes merge(ByteView, std::optional<ByteView>, std::span<const ByteView>) const override {
    throw std::bad_alloc();
  }
  Bytes join(ByteView, std::span<const ByteView>) const override { throw std::bad_alloc(); }
  bool droppable(ByteView, ByteView, std::uint64_t) const override { return false; }
};

TEST_F(RocksdbMergeTest, an_exception_in_a_policy_is_an_error_and_loses_nothing) {
  context_.policy = std::make_shared<ThrowingPolicy>();
  ASSERT_TRUE(open().is_ok());
  put("key", "row");
  ASSERT_TRUE(engine_->flush().is_ok());
  merge("key", "x");
  merge("key", "y");
  EXPECT_EQ(get("key").status().code(), Code::corrupt);
  ASSERT_TRUE(engine_->flush().is_ok());
  context_.policy = policy_;
  reopen();
  EXPECT_EQ(shown("key"), "[row]+x+y");
}

}  // namespace
}  // namespace ringwright
