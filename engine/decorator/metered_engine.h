#pragma once

#include <memory>

#include "engine/base/clock.h"
#include "engine/decorator/engine_meter.h"
#include "engine/decorator/forwarding_engine.h"

namespace ringwright {

// Counts and times what goes through it, decorators within it included, and changes nothing. It has
// no options.
class MeteredEngine final : public ForwardingEngine {
 public:
  explicit MeteredEngine(std::unique_ptr<StorageEngine> inner,
                         std::shared_ptr<Clock> clock = make_system_clock());

  EngineCounts counts() const { return meter_.counts(); }

  std::string_view name() const override { return "metered"; }
  Status open(const EngineContext& context) override;
  std::vector<Result<std::optional<Bytes>>> multi_get(std::span<const Bytes> keys,
                                                      MayBlock may_block) override;
  Result<std::uint64_t> write(const WriteBatch& batch, MayBlock may_block) override;
  Status sync(std::uint64_t sequence, MayBlock may_block) override;
  std::unique_ptr<Iterator> iterate(const KeyRange& range, Direction direction) override;
  Status drop_range(const KeyRange& range) override;
  Status flush() override;
  Status checkpoint(const std::string& path) override;

 private:
  class RowIterator;

  // Nullopt: this call is not timed.
  std::optional<Instant> start(MayBlock may_block) const;
  std::optional<std::uint64_t> since(std::optional<Instant> start) const;
  template <typename Make>
  Status timed(EngineCall call, Make&& make);

  const std::shared_ptr<Clock> clock_;
  bool syncs_to_disk_ = false;  // not changed after `open`
  EngineMeter meter_;
};

}  // namespace ringwright
