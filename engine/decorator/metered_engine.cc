#include "engine/decorator/metered_engine.h"

#include <utility>

#include "engine/base/limits.h"
#include "engine/builtin_engines.h"
#include "engine/decorator/traffic.h"
#include "engine/engine_decorator.h"
#include "engine/option_reader.h"

namespace ringwright {
namespace {

using ReadResult = Result<std::optional<Bytes>>;

constexpr auto stall_after = static_cast<std::uint64_t>(limits::engine_stall_after);

static_assert(static_cast<std::size_t>(Code::mismatch) < EngineCounts::codes);

using Took = std::optional<std::uint64_t>;

void count_answer(EngineCounts::Call& call, Code code, Took took) {
  if (code == Code::would_block) {
    ++call.would_block;
    return;
  }
  call.add_duration(took);
  if (code != Code::ok) ++call.errors[static_cast<std::size_t>(code)];
}

Code code_of(const Result<std::uint64_t>& written) {
  return written ? Code::ok : written.error().code();
}

}  // namespace

// Counts for itself and tells the meter when it ends.
class MeteredEngine::RowIterator final : public Iterator {
 public:
  RowIterator(EngineMeter& meter, std::unique_ptr<Iterator> inner)
      : meter_(meter), inner_(std::move(inner)) {
    see_row();
  }
  ~RowIterator() override {
    const Code code = inner_->status().code();
    meter_.count([&](EngineCounts& counts) {
      counts.rows_iterated += rows_;
      counts.bytes_read += bytes_;
      if (code != Code::ok) ++counts.of(EngineCall::iterate).errors[static_cast<std::size_t>(code)];
    });
  }
  void next() override {
    inner_->next();
    see_row();
  }
  Status status() const override { return inner_->status(); }

 private:
  void see_row() {
    if (!inner_->valid()) return stand_nowhere();
    stand_on(inner_->key(), inner_->value());
    ++rows_;
    bytes_ += key().size() + value().size();
  }

  EngineMeter& meter_;
  const std::unique_ptr<Iterator> inner_;
  std::uint64_t rows_ = 0;
  std::uint64_t bytes_ = 0;
};

MeteredEngine::MeteredEngine(std::unique_ptr<StorageEngine> inner, std::shared_ptr<Clock> clock)
    : ForwardingEngine(std::move(inner)), clock_(std::move(clock)) {}

std::optional<Instant> MeteredEngine::start(MayBlock may_block) const {
  if (may_block == MayBlock::no && !EngineMeter::draws_this_call()) return std::nullopt;
  return clock_->now();
}

std::optional<std::uint64_t> MeteredEngine::since(std::optional<Instant> start) const {
  if (!start) return std::nullopt;
  return static_cast<std::uint64_t>(clock_->now() - *start);
}

Status MeteredEngine::open(const EngineContext& context) {
  const SplitOptions options = split_options(context, name());
  RW_TRY(OptionReader("the decorator 'metered'", options.own).finish());
  syncs_to_disk_ = context.durability == Durability::disk;
  return ForwardingEngine::open(options.inwards);
}

std::vector<ReadResult> MeteredEngine::multi_get(std::span<const Bytes> keys, MayBlock may_block) {
  const auto started = start(may_block);
  std::vector<ReadResult> found = ForwardingEngine::multi_get(keys, may_block);
  const Took took = since(started);
  const std::uint64_t bytes = bytes_of(found);
  meter_.count([&](EngineCounts& counts) {
    EngineCounts::Call& call = counts.of(EngineCall::multi_get);
    bool is_blocked = false;
    for (const ReadResult& row : found) {
      if (row) continue;
      const Code code = row.error().code();
      if (code == Code::would_block)
        is_blocked = true;
      else
        ++call.errors[static_cast<std::size_t>(code)];
    }
    counts.bytes_read += bytes;
    if (is_blocked) {
      ++call.would_block;
      return;
    }
    call.add_duration(took);
    counts.read_keys.add(keys.size());
  });
  return found;
}

Result<std::uint64_t> MeteredEngine::write(const WriteBatch& batch, MayBlock may_block) {
  const auto started = start(may_block);
  auto written = ForwardingEngine::write(batch, may_block);
  const Took took = since(started);
  const std::uint64_t bytes = written ? bytes_of(batch) : 0;
  const Code code = code_of(written);
  meter_.count([&](EngineCounts& counts) {
    count_answer(counts.of(EngineCall::write), code, took);
    if (code == Code::would_block) return;
    counts.batch_writes.add(batch.size());
    counts.bytes_written += bytes;
    if (took > stall_after) counts.stalled_ns += *took;
  });
  return written;
}

Status MeteredEngine::sync(std::uint64_t sequence, MayBlock may_block) {
  const auto started = start(may_block);
  Status synced = ForwardingEngine::sync(sequence, may_block);
  const Took took = since(started);
  meter_.count([&](EngineCounts& counts) {
    count_answer(counts.of(EngineCall::sync), synced.code(), took);
    if (syncs_to_disk_ && may_block == MayBlock::yes) counts.fsyncs.add(*took);
  });
  return synced;
}

std::unique_ptr<Iterator> MeteredEngine::iterate(const KeyRange& range, Direction direction) {
  const auto started = start(MayBlock::yes);
  auto rows = ForwardingEngine::iterate(range, direction);
  const Took took = since(started);
  // How it ends is counted then.
  meter_.count(
      [&](EngineCounts& counts) { count_answer(counts.of(EngineCall::iterate), Code::ok, took); });
  return std::make_unique<RowIterator>(meter_, std::move(rows));
}

template <typename Make>
Status MeteredEngine::timed(EngineCall call, Make&& make) {
  const auto started = start(MayBlock::yes);
  Status answered = make();
  const Took took = since(started);
  meter_.count([&](EngineCounts& counts) { count_answer(counts.of(call), answered.code(), took); });
  return answered;
}

Status MeteredEngine::drop_range(const KeyRange& range) {
  return timed(EngineCall::drop_range, [&] { return ForwardingEngine::drop_range(range); });
}

Status MeteredEngine::flush() {
  return timed(EngineCall::flush, [&] { return ForwardingEngine::flush(); });
}

Status MeteredEngine::checkpoint(const std::string& path) {
  return timed(EngineCall::checkpoint, [&] { return ForwardingEngine::checkpoint(path); });
}

void add_metered_engine(Registry& registry) {
  registry.add<EngineDecorator>(
      "metered", [] { return std::make_unique<EngineDecoratorOf<MeteredEngine>>(); });
}

}  // namespace ringwright
