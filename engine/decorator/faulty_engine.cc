#include "engine/decorator/faulty_engine.h"

#include <utility>

#include "engine/builtin_engines.h"
#include "engine/decorator/fault_options.h"
#include "engine/engine_decorator.h"
#include "engine/option_reader.h"

namespace ringwright {
namespace {

using ReadResult = Result<std::optional<Bytes>>;

constexpr std::span<const ByteView> no_keys;

Status injected(Code code, EngineFault kind) {
  return {code, "injected fault " + std::string(engine_fault_name(kind))};
}

// Changes one byte, or adds one where there is none.
Bytes garble(FaultPlan& plan, Bytes row) {
  constexpr EngineFault kind = EngineFault::read_damaged;
  if (row.empty()) return Bytes(1, static_cast<char>(plan.draw_below(kind, 256)));
  char& byte = row[plan.draw_below(kind, row.size())];
  byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1 + plan.draw_below(kind, 255)));
  return row;
}

class FaultyIterator final : public Iterator {
 public:
  FaultyIterator(std::unique_ptr<Iterator> inner, std::shared_ptr<FaultPlan> plan)
      : inner_(std::move(inner)), plan_(std::move(plan)) {
    read_row();
  }

  void next() override {
    RW_CHECK(valid());
    inner_->next();
    read_row();
  }
  Status status() const override { return status_.is_ok() ? inner_->status() : status_; }

 private:
  void read_row() {
    if (!inner_->valid()) return stand_nowhere();
    if (plan_->fires(EngineFault::read_fails, inner_->key())) {
      status_ = injected(Code::io_error, EngineFault::read_fails);
      return stand_nowhere();
    }
    if (!plan_->fires(EngineFault::read_damaged, inner_->key()))
      return stand_on(inner_->key(), inner_->value());
    garbled_ = garble(*plan_, Bytes(inner_->value()));
    stand_on(inner_->key(), garbled_);
  }

  std::unique_ptr<Iterator> inner_;
  std::shared_ptr<FaultPlan> plan_;
  Bytes garbled_;
  Status status_;
};

}  // namespace

FaultyEngine::FaultyEngine(std::unique_ptr<StorageEngine> inner, std::shared_ptr<FaultPlan> plan)
    : ForwardingEngine(std::move(inner)), plan_(std::move(plan)) {
  RW_CHECK(plan_ != nullptr);
}

std::shared_ptr<FaultPlan> FaultyEngine::plan_of(StorageEngine& stack) {
  for (StorageEngine* each = &stack; each != nullptr; each = each->inner())
    if (const auto* faulty = dynamic_cast<FaultyEngine*>(each)) return faulty->plan();
  return nullptr;
}

Status FaultyEngine::open(const EngineContext& context) {
  const SplitOptions options = split_options(context, name());
  RW_TRY(arm_faults(*plan_, options.own));
  return ForwardingEngine::open(options.inwards);
}

std::vector<ReadResult> FaultyEngine::multi_get(std::span<const Bytes> keys, MayBlock may_block) {
  std::vector<ReadResult> found = ForwardingEngine::multi_get(keys, may_block);
  RW_CHECK(found.size() == keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (!found[i]) continue;
    if (may_block == MayBlock::no && plan_->fires(EngineFault::would_block, keys[i]))
      found[i] = injected(Code::would_block, EngineFault::would_block);
    else if (plan_->fires(EngineFault::read_fails, keys[i]))
      found[i] = injected(Code::io_error, EngineFault::read_fails);
    else if (found[i]->has_value() && plan_->fires(EngineFault::read_damaged, keys[i]))
      found[i] = std::optional<Bytes>(garble(*plan_, std::move(**found[i])));
  }
  return found;
}

Status FaultyEngine::refused_after_sync() const {
  if (!sync_failed_) return ok_status();
  return {Code::io_error, "an injected sync failure came before: reopen"};
}

// What keeps the batch from being applied.
Status FaultyEngine::refusal(std::span<const ByteView> keys, MayBlock may_block, bool adds) {
  if (may_block == MayBlock::no && plan_->fires(EngineFault::would_block, keys))
    return injected(Code::would_block, EngineFault::would_block);
  if (plan_->fires(EngineFault::write_refused, keys))
    return injected(Code::busy, EngineFault::write_refused);
  if (adds && plan_->fires(EngineFault::write_no_space, keys))
    return injected(Code::no_space, EngineFault::write_no_space);
  if (plan_->fires(EngineFault::write_doubtful_lost, keys))
    return injected(Code::in_doubt, EngineFault::write_doubtful_lost);
  return ok_status();
}

Result<std::uint64_t> FaultyEngine::write(const WriteBatch& batch, MayBlock may_block) {
  RW_TRY(refused_after_sync());
  std::vector<ByteView> keys;
  keys.reserve(batch.size());
  std::uint64_t added_bytes = 0;
  for (const auto& operation : batch.operations()) {
    keys.push_back(operation.key);
    if (operation.kind != WriteBatch::Kind::remove)
      added_bytes += operation.key.size() + operation.value.size();
  }
  RW_TRY(refusal(keys, may_block, added_bytes > 0));
  if (added_bytes > 0 && !plan_->take_space(added_bytes))
    return injected(Code::no_space, EngineFault::write_no_space);
  auto written = ForwardingEngine::write(batch, may_block);
  if (!written) {
    if (written.error().code() != Code::in_doubt) plan_->give_space_back(added_bytes);
    return written;
  }
  if (plan_->fires(EngineFault::write_doubtful_kept, keys))
    return injected(Code::in_doubt, EngineFault::write_doubtful_kept);
  return written;
}

Status FaultyEngine::sync(std::uint64_t sequence, MayBlock may_block) {
  RW_TRY(refused_after_sync());
  if (may_block == MayBlock::no && plan_->fires(EngineFault::would_block, no_keys))
    return injected(Code::would_block, EngineFault::would_block);
  if (plan_->fires(EngineFault::sync_fails, no_keys)) {
    sync_failed_ = true;
    return injected(Code::io_error, EngineFault::sync_fails);
  }
  return ForwardingEngine::sync(sequence, may_block);
}

std::unique_ptr<Iterator> FaultyEngine::iterate(const KeyRange& range, Direction direction) {
  return std::make_unique<FaultyIterator>(ForwardingEngine::iterate(range, direction), plan_);
}

void add_faulty_engine(Registry& registry) {
  registry.add<EngineDecorator>("faulty",
                                [] { return std::make_unique<EngineDecoratorOf<FaultyEngine>>(); });
}

}  // namespace ringwright
