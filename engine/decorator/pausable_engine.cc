#include "engine/decorator/pausable_engine.h"

#include "engine/builtin_engines.h"
#include "engine/engine_decorator.h"
#include "engine/iterators.h"
#include "engine/option_reader.h"

namespace ringwright {

using ReadResult = Result<std::optional<Bytes>>;

std::shared_ptr<PausableEngine::Switch> PausableEngine::switch_of(StorageEngine& stack) {
  for (StorageEngine* each = &stack; each != nullptr; each = each->inner())
    if (const auto* pausable = dynamic_cast<PausableEngine*>(each)) return pausable->switch_;
  return nullptr;
}

Status PausableEngine::open(const EngineContext& context) {
  const SplitOptions options = split_options(context, name());
  OptionReader reader("the decorator 'pausable'", options.own);
  reader.read_duration("deadline", deadline_, limits::engine_hold_max);
  RW_TRY(reader.finish());
  return ForwardingEngine::open(options.inwards);
}

Status PausableEngine::enter(MayBlock may_block) {
  if (!switch_->is_paused()) return ok_status();
  if (may_block == MayBlock::no) return {Code::would_block, "the engine is paused"};
  return switch_->room_.pass(deadline_);
}

std::vector<ReadResult> PausableEngine::multi_get(std::span<const Bytes> keys, MayBlock may_block) {
  const Status entered = enter(may_block);
  if (!entered.is_ok()) return {keys.size(), ReadResult(entered)};
  return ForwardingEngine::multi_get(keys, may_block);
}

Result<std::uint64_t> PausableEngine::write(const WriteBatch& batch, MayBlock may_block) {
  RW_TRY(enter(may_block));
  return ForwardingEngine::write(batch, may_block);
}

Status PausableEngine::sync(std::uint64_t sequence, MayBlock may_block) {
  RW_TRY(enter(may_block));
  return ForwardingEngine::sync(sequence, may_block);
}

std::unique_ptr<Iterator> PausableEngine::iterate(const KeyRange& range, Direction direction) {
  const Status entered = enter(MayBlock::yes);
  if (!entered.is_ok()) return make_empty_iterator(entered);
  return ForwardingEngine::iterate(range, direction);
}

Status PausableEngine::drop_range(const KeyRange& range) {
  RW_TRY(enter(MayBlock::yes));
  return ForwardingEngine::drop_range(range);
}

Status PausableEngine::flush() {
  RW_TRY(enter(MayBlock::yes));
  return ForwardingEngine::flush();
}

Status PausableEngine::checkpoint(const std::string& path) {
  RW_TRY(enter(MayBlock::yes));
  return ForwardingEngine::checkpoint(path);
}

Status PausableEngine::close() {
  switch_->room_.close();
  return ForwardingEngine::close();
}

void add_pausable_engine(Registry& registry) {
  registry.add<EngineDecorator>(
      "pausable", [] { return std::make_unique<EngineDecoratorOf<PausableEngine>>(); });
}

}  // namespace ringwright
