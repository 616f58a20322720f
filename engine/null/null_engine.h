#pragma once

#include <atomic>

#include "engine/storage_engine.h"

namespace ringwright {

// Keeps nothing: writes succeed and vanish, reads find nothing. What is left of a measurement is
// the cost of everything around the engine. Its only durability class is `none`.
class NullEngine final : public StorageEngine {
 public:
  std::string_view name() const override { return "null"; }
  Capabilities capabilities() const override { return {true, true, Durability::none}; }

  Status open(const EngineContext& context) override;
  std::vector<Result<std::optional<Bytes>>> multi_get(std::span<const Bytes> keys,
                                                      MayBlock may_block) override;
  Result<std::uint64_t> write(const WriteBatch& batch, MayBlock may_block) override;
  Status sync(std::uint64_t sequence, MayBlock may_block) override;
  std::unique_ptr<Iterator> iterate(const KeyRange& range, Direction direction) override;
  Status drop_range(const KeyRange& range) override;
  Status flush() override;
  Status checkpoint(const std::string& path) override;
  std::uint64_t approximate_bytes(const KeyRange& range) override;
  double pressure() override { return 0; }
  EngineStats stats() override { return {}; }
  Status close() override;

 private:
  Status usable() const;

  std::atomic<bool> open_ = false;
  std::atomic<std::uint64_t> sequence_ = 0;
};

}  // namespace ringwright
