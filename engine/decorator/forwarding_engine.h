#pragma once

#include <memory>
#include <utility>

#include "engine/base/check.h"
#include "engine/storage_engine.h"

namespace ringwright {

// Base of every decorator: hands each call to the engine that it owns. A decorator overrides `name`
// and what it changes.
class ForwardingEngine : public StorageEngine {
 public:
  explicit ForwardingEngine(std::unique_ptr<StorageEngine> inner) : inner_(std::move(inner)) {
    RW_CHECK(inner_ != nullptr);
  }

  Capabilities capabilities() const override { return inner_->capabilities(); }
  Status open(const EngineContext& context) override { return inner_->open(context); }
  std::vector<Result<std::optional<Bytes>>> multi_get(std::span<const Bytes> keys,
                                                      MayBlock may_block) override {
    return inner_->multi_get(keys, may_block);
  }
  Result<std::uint64_t> write(const WriteBatch& batch, MayBlock may_block) override {
    return inner_->write(batch, may_block);
  }
  Status sync(std::uint64_t sequence, MayBlock may_block) override {
    return inner_->sync(sequence, may_block);
  }
  std::unique_ptr<Iterator> iterate(const KeyRange& range, Direction direction) override {
    return inner_->iterate(range, direction);
  }
  Status drop_range(const KeyRange& range) override { return inner_->drop_range(range); }
  Status flush() override { return inner_->flush(); }
  Status checkpoint(const std::string& path) override { return inner_->checkpoint(path); }
  std::uint64_t approximate_bytes(const KeyRange& range) override {
    return inner_->approximate_bytes(range);
  }
  double pressure() override { return inner_->pressure(); }
  EngineStats stats() override { return inner_->stats(); }
  Status close() override { return inner_->close(); }
  StorageEngine* inner() override { return inner_.get(); }

 private:
  std::unique_ptr<StorageEngine> inner_;
};

}  // namespace ringwright
