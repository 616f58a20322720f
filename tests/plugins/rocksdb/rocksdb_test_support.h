#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "engine/base/disk.h"
#include "engine/storage_engine.h"
#include "plugins/rocksdb/rocksdb_engine.h"

namespace ringwright {

// Rows and operands are words joined by '+'; a merge of a row shows its base in brackets. Counts
// its calls, so that a test can tell which path RocksDB took.
class CountingPolicy final : public RecordPolicy {
 public:
  Bytes merge(ByteView, std::optional<ByteView> base,
              std::span<const ByteView> operands) const override {
    ++merges;
    return (base ? "[" + Bytes(*base) + "]" : Bytes("[]")) + joined(operands);
  }
  Bytes join(ByteView, std::span<const ByteView> operands) const override {
    ++joins;
    return joined(operands).substr(1);
  }
  bool droppable(ByteView, ByteView, std::uint64_t) const override { return false; }

  mutable std::atomic<int> merges{0};
  mutable std::atomic<int> joins{0};

 private:
  static Bytes joined(std::span<const ByteView> operands) {
    Bytes text;
    for (const ByteView operand : operands) text.append("+").append(operand);
    return text;
  }
};

class RocksdbTest : public testing::Test {
 protected:
  RocksdbTest() {
    root_ = testing::TempDir() + "ringwright-rocksdb-XXXXXX";
    EXPECT_NE(::mkdtemp(root_.data()), nullptr);
    disk_ = make_posix_disk(root_);
    context_.path = "engine";
    context_.disk = disk_;
    context_.durability = Durability::os;
    context_.policy = policy_;
    context_.options["block_cache_size"] = "8MiB";
  }
  ~RocksdbTest() override {
    engine_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }

  Status open() {
    engine_ = std::make_unique<RocksdbEngine>();
    return engine_->open(context_);
  }
  void reopen() {
    ASSERT_TRUE(engine_->close().is_ok());
    const Status opened = open();
    ASSERT_TRUE(opened.is_ok()) << opened.to_string();
  }

  std::uint64_t put(Bytes key, Bytes row) {
    WriteBatch batch;
    batch.put(std::move(key), std::move(row));
    return write(batch);
  }
  void merge(Bytes key, Bytes operand) {
    WriteBatch batch;
    batch.merge(std::move(key), std::move(operand));
    write(batch);
  }
  std::uint64_t write(const WriteBatch& batch) {
    const auto written = engine_->write(batch, MayBlock::yes);
    EXPECT_TRUE(written.has_value()) << written.status().to_string();
    return written ? *written : 0;
  }
  Result<std::optional<Bytes>> get(const Bytes& key, MayBlock may_block = MayBlock::yes) {
    return engine_->multi_get(std::span(&key, 1), may_block).front();
  }
  // The row, "absent", or the name of the error's code.
  std::string shown(const Bytes& key, MayBlock may_block = MayBlock::yes) {
    const auto answer = get(key, may_block);
    if (!answer) return std::string(code_name(answer.error().code()));
    return answer->value_or("absent");
  }
  std::string real_directory() const { return disk_->real_path(context_.path); }

  std::string root_;
  std::shared_ptr<Disk> disk_;
  std::shared_ptr<CountingPolicy> policy_ = std::make_shared<CountingPolicy>();
  EngineContext context_;
  std::unique_ptr<RocksdbEngine> engine_;
};

}  // namespace ringwright
