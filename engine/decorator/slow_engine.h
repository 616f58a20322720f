#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "engine/base/clock.h"
#include "engine/base/random.h"
#include "engine/decorator/call_holder.h"
#include "engine/decorator/forwarding_engine.h"
#include "engine/decorator/waiting_room.h"

namespace ringwright {

// Takes its time: each call waits before the engine is called, and for its bytes to pass. A call
// that would have to wait and may not block answers `would_block`; one that `close` interrupts
// answers `closed`, and then certainly nothing happened. Delays are real time, at least as long as
// they say.
//
// Options
//   read_latency       of a multi_get
//   write_latency      of a write and a drop_range
//   sync_latency       of a sync that no earlier one covered, a flush and a checkpoint
//   iterate_latency    of an iterate, before its first row
//   jitter             each delay lies this much around its latency: a share (0.2, 20%) or a
//   duration seed               decides the jitter bytes_per_second   what passes through the
//   engine both ways, of keys and rows; 0: no bound
class SlowEngine final : public ForwardingEngine, public CallHolder {
 public:
  explicit SlowEngine(std::unique_ptr<StorageEngine> inner,
                      std::shared_ptr<Clock> clock = make_system_clock());

  std::string_view name() const override { return "slow"; }
  void let_go() override { room_.let_go(); }

  Capabilities capabilities() const override;
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
  class RowIterator;

  Status delay(Nanoseconds latency);
  // Of these bytes: they pass one after the other, whichever call they belong to.
  Status transfer(std::uint64_t bytes);

  const std::shared_ptr<Clock> clock_;
  WaitingRoom room_;

  // As the options say; not changed after `open`.
  Nanoseconds read_latency_ = 0;
  Nanoseconds write_latency_ = 0;
  Nanoseconds sync_latency_ = 0;
  Nanoseconds iterate_latency_ = 0;
  double jitter_share_ = 0;
  Nanoseconds jitter_ = 0;
  std::uint64_t bytes_per_second_ = 0;

  std::atomic<std::uint64_t> synced_{0};  // up to here syncs have succeeded

  std::mutex mutex_;  // guards what follows
  SeededRandom random_{0, "slow"};
  Instant passed_at_ = 0;  // when the last byte so far will have passed
};

}  // namespace ringwright
