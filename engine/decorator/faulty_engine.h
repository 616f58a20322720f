#pragma once

#include <atomic>
#include <memory>

#include "engine/decorator/fault_plan.h"
#include "engine/decorator/forwarding_engine.h"

namespace ringwright {

// Fails as its plan says, and only in ways that the contract of StorageEngine allows. Faults are
// drawn per key of a read, per row of an iteration, per batch of a write and per sync.
//
// Options: those of `arm_faults`, which arm the plan when the engine is opened.
class FaultyEngine final : public ForwardingEngine {
 public:
  explicit FaultyEngine(std::unique_ptr<StorageEngine> inner,
                        std::shared_ptr<FaultPlan> plan = std::make_shared<FaultPlan>());

  // The plan of the first faulty engine in a stack; null when there is none.
  static std::shared_ptr<FaultPlan> plan_of(StorageEngine& stack);
  const std::shared_ptr<FaultPlan>& plan() const { return plan_; }

  std::string_view name() const override { return "faulty"; }
  Status open(const EngineContext& context) override;
  std::vector<Result<std::optional<Bytes>>> multi_get(std::span<const Bytes> keys,
                                                      MayBlock may_block) override;
  Result<std::uint64_t> write(const WriteBatch& batch, MayBlock may_block) override;
  Status sync(std::uint64_t sequence, MayBlock may_block) override;
  std::unique_ptr<Iterator> iterate(const KeyRange& range, Direction direction) override;

 private:
  Status refused_after_sync() const;
  Status refusal(std::span<const ByteView> keys, MayBlock may_block, bool adds);

  const std::shared_ptr<FaultPlan> plan_;
  std::atomic<bool> sync_failed_ = false;
};

}  // namespace ringwright
