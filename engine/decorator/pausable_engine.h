#pragma once

#include <memory>

#include "engine/base/limits.h"
#include "engine/decorator/call_holder.h"
#include "engine/decorator/forwarding_engine.h"
#include "engine/decorator/waiting_room.h"

namespace ringwright {

// Stands still while it is paused: a call that may block waits until the engine is resumed, and
// answers `busy` when its own deadline passes first (certainly nothing happened); one that may not
// block answers `would_block`. Calls that were under way when it was paused are not held, nor are
// `stats`, `pressure` and `approximate_bytes`, so that a paused engine can be watched.
// Not paused at first. `close` ends every wait with `closed`.
//
// Option: deadline, how long one call waits at most.
class PausableEngine final : public ForwardingEngine, public CallHolder {
 public:
  explicit PausableEngine(std::unique_ptr<StorageEngine> inner)
      : ForwardingEngine(std::move(inner)) {}

  // What pauses and resumes an engine, from any thread; it may outlive the engine.
  class Switch {
   public:
    void pause() { room_.set_shut(true); }
    void resume() { room_.set_shut(false); }
    bool is_paused() const { return room_.is_shut(); }
    // Calls that stand still now.
    std::size_t waiting() const { return room_.waiting(); }

   private:
    friend class PausableEngine;
    WaitingRoom room_;
  };
  // The switch of the first pausable engine in a stack; null when there is none.
  static std::shared_ptr<Switch> switch_of(StorageEngine& stack);

  std::string_view name() const override { return "pausable"; }
  void let_go() override { switch_->room_.let_go(); }

  Status open(const EngineContext& context) override;
  std::vector<Result<std::optional<Bytes>>> multi_get(std::span<const Bytes> keys,
                                                      MayBlock may_block) override;
  Result<std::uint64_t> write(const WriteBatch& batch, MayBlock may_block) override;
  Status sync(std::uint64_t sequence, MayBlock may_block) override;
  std::unique_ptr<Iterator> iterate(const KeyRange& range, Direction direction) override;
  Status drop_range(const KeyRange& range) override;
  Status flush() override;
  Status checkpoint(const std::string& path) override;
  Status close() override;

 private:
  Status enter(MayBlock may_block);

  const std::shared_ptr<Switch> switch_ = std::make_shared<Switch>();
  Nanoseconds deadline_ = limits::engine_hold_default;
};

}  // namespace ringwright
