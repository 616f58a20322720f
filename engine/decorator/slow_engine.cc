#include "engine/decorator/slow_engine.h"

#include <algorithm>
#include <utility>

#include "engine/base/limits.h"
#include "engine/base/units.h"
#include "engine/builtin_engines.h"
#include "engine/decorator/traffic.h"
#include "engine/engine_decorator.h"
#include "engine/iterators.h"
#include "engine/option_reader.h"

namespace ringwright {
namespace {

using ReadResult = Result<std::optional<Bytes>>;

Status too_slow_to_answer_now() {
  return {Code::would_block, "the engine is slow on purpose, and the call may not wait"};
}

// "20%" or "0.2" of each latency, or "1ms".
void read_jitter(OptionReader& reader, double& share, Nanoseconds& span) {
  const std::string* const given = reader.text("jitter");
  if (given == nullptr) return;
  if (const auto part = parse_share(*given)) {
    share = *part;
    return;
  }
  const auto duration = parse_duration(*given);
  if (duration && *duration <= limits::engine_hold_max)
    span = *duration;
  else
    reader.judge("jitter", {Code::invalid, "'" + *given +
                                               "' is neither a share of the latency, like 20%, nor "
                                               "a duration, like 1ms, of at most " +
                                               format_duration(limits::engine_hold_max)});
}

}  // namespace

// Its rows pass like all other bytes.
class SlowEngine::RowIterator final : public Iterator {
 public:
  RowIterator(SlowEngine& engine, std::unique_ptr<Iterator> inner)
      : engine_(engine), inner_(std::move(inner)) {
    pass_row();
  }

  void next() override {
    RW_CHECK(valid());
    inner_->next();
    pass_row();
  }
  Status status() const override { return status_.is_ok() ? inner_->status() : status_; }

 private:
  void pass_row() {
    if (inner_->valid()) status_ = engine_.transfer(inner_->key().size() + inner_->value().size());
    if (inner_->valid() && status_.is_ok())
      stand_on(inner_->key(), inner_->value());
    else
      stand_nowhere();
  }

  SlowEngine& engine_;
  std::unique_ptr<Iterator> inner_;
  Status status_;
};

SlowEngine::SlowEngine(std::unique_ptr<StorageEngine> inner, std::shared_ptr<Clock> clock)
    : ForwardingEngine(std::move(inner)), clock_(std::move(clock)) {}

Capabilities SlowEngine::capabilities() const {
  Capabilities offered = ForwardingEngine::capabilities();
  if (bytes_per_second_ > 0 || (read_latency_ > 0 && write_latency_ > 0))
    offered.non_blocking = false;
  return offered;
}

Status SlowEngine::open(const EngineContext& context) {
  const SplitOptions options = split_options(context, name());
  OptionReader reader("the decorator 'slow'", options.own);
  reader.read_duration("read_latency", read_latency_, limits::engine_hold_max);
  reader.read_duration("write_latency", write_latency_, limits::engine_hold_max);
  reader.read_duration("sync_latency", sync_latency_, limits::engine_hold_max);
  reader.read_duration("iterate_latency", iterate_latency_, limits::engine_hold_max);
  reader.read_size("bytes_per_second", bytes_per_second_);
  read_jitter(reader, jitter_share_, jitter_);
  std::uint64_t seed = 0;
  reader.read("seed", seed);
  RW_TRY(reader.finish());
  {
    const std::lock_guard lock(mutex_);
    random_ = SeededRandom(seed, "slow");
  }
  return ForwardingEngine::open(options.inwards);
}

Status SlowEngine::delay(Nanoseconds latency) {
  if (latency == 0) return ok_status();
  Nanoseconds around = jitter_;
  if (jitter_share_ > 0)
    around = static_cast<Nanoseconds>(jitter_share_ * static_cast<double>(latency));
  if (around > 0) {
    const std::lock_guard lock(mutex_);
    latency = std::max<Nanoseconds>(0, random_.between(latency - around, latency + around));
  }
  return room_.rest(latency);
}

Status SlowEngine::transfer(std::uint64_t bytes) {
  if (bytes_per_second_ == 0 || bytes == 0) return ok_status();
  const double takes_seconds = static_cast<double>(bytes) / static_cast<double>(bytes_per_second_);
  const auto most = static_cast<double>(limits::engine_hold_max);
  const auto takes = static_cast<Nanoseconds>(std::min(takes_seconds * 1e9, most));
  Nanoseconds wait = 0;
  {
    const std::lock_guard lock(mutex_);
    const Instant now = clock_->now();
    passed_at_ = std::min(std::max(passed_at_, now) + takes, now + limits::engine_hold_max);
    wait = passed_at_ - now;
  }
  // A great many small rows must not each pay for going to sleep; what they owe adds up.
  if (wait < limits::engine_transfer_grain) return ok_status();
  return room_.rest(wait);
}

std::vector<ReadResult> SlowEngine::multi_get(std::span<const Bytes> keys, MayBlock may_block) {
  const auto all = [&](const Status& status) {
    return std::vector<ReadResult>(keys.size(), ReadResult(status));
  };
  if (may_block == MayBlock::no && (read_latency_ > 0 || bytes_per_second_ > 0))
    return all(too_slow_to_answer_now());
  Status waited = delay(read_latency_);
  if (!waited.is_ok()) return all(waited);
  std::vector<ReadResult> found = ForwardingEngine::multi_get(keys, may_block);
  if (bytes_per_second_ > 0) waited = transfer(bytes_of(found));
  return waited.is_ok() ? std::move(found) : all(waited);
}

Result<std::uint64_t> SlowEngine::write(const WriteBatch& batch, MayBlock may_block) {
  if (may_block == MayBlock::no && (write_latency_ > 0 || bytes_per_second_ > 0))
    return too_slow_to_answer_now();
  RW_TRY(delay(write_latency_));
  if (bytes_per_second_ > 0) RW_TRY(transfer(bytes_of(batch)));
  return ForwardingEngine::write(batch, may_block);
}

Status SlowEngine::sync(std::uint64_t sequence, MayBlock may_block) {
  if (sequence > synced_) {
    if (may_block == MayBlock::no && sync_latency_ > 0) return too_slow_to_answer_now();
    RW_TRY(delay(sync_latency_));
  }
  RW_TRY(ForwardingEngine::sync(sequence, may_block));
  for (std::uint64_t before = synced_;
       before < sequence && !synced_.compare_exchange_weak(before, sequence);) {
  }
  return ok_status();
}

std::unique_ptr<Iterator> SlowEngine::iterate(const KeyRange& range, Direction direction) {
  const Status waited = delay(iterate_latency_);
  if (!waited.is_ok()) return make_empty_iterator(waited);
  auto rows = ForwardingEngine::iterate(range, direction);
  if (bytes_per_second_ == 0) return rows;
  return std::make_unique<RowIterator>(*this, std::move(rows));
}

Status SlowEngine::drop_range(const KeyRange& range) {
  RW_TRY(delay(write_latency_));
  return ForwardingEngine::drop_range(range);
}

Status SlowEngine::flush() {
  RW_TRY(delay(sync_latency_));
  return ForwardingEngine::flush();
}

Status SlowEngine::checkpoint(const std::string& path) {
  RW_TRY(delay(sync_latency_));
  return ForwardingEngine::checkpoint(path);
}

Status SlowEngine::close() {
  room_.close();
  return ForwardingEngine::close();
}

void add_slow_engine(Registry& registry) {
  registry.add<EngineDecorator>("slow",
                                [] { return std::make_unique<EngineDecoratorOf<SlowEngine>>(); });
}

}  // namespace ringwright
