#include "engine/null/null_engine.h"

#include "engine/builtin_engines.h"
#include "engine/iterators.h"

namespace ringwright {
Status NullEngine::open(const EngineContext& context) {
  if (!context.options.empty())
    return {Code::invalid,
            "the engine 'null' has no options, so no '" + context.options.begin()->first + "'"};
  if (context.durability != Durability::none)
    return {Code::invalid, "the engine 'null' keeps nothing: its only durability is none, not " +
                               std::string(durability_name(context.durability))};
  open_ = true;
  return ok_status();
}

Status NullEngine::usable() const {
  return open_ ? ok_status() : Status{Code::closed, "the engine 'null' is not open"};
}

std::vector<Result<std::optional<Bytes>>> NullEngine::multi_get(std::span<const Bytes> keys,
                                                                MayBlock) {
  const Status status = usable();
  if (!status.is_ok()) return {keys.size(), Result<std::optional<Bytes>>(status)};
  return {keys.size(), Result<std::optional<Bytes>>(std::optional<Bytes>())};
}

Result<std::uint64_t> NullEngine::write(const WriteBatch&, MayBlock) {
  RW_TRY(usable());
  return ++sequence_;
}

Status NullEngine::sync(std::uint64_t, MayBlock) { return usable(); }

std::unique_ptr<Iterator> NullEngine::iterate(const KeyRange&, Direction) {
  return make_empty_iterator(usable());
}

Status NullEngine::drop_range(const KeyRange&) { return usable(); }
Status NullEngine::flush() { return usable(); }
Status NullEngine::checkpoint(const std::string&) { return usable(); }
std::uint64_t NullEngine::approximate_bytes(const KeyRange&) { return 0; }

Status NullEngine::close() {
  open_ = false;
  return ok_status();
}

void add_null_engine(Registry& registry) {
  registry.add<StorageEngine>("null", [] { return std::make_unique<NullEngine>(); });
}

}  // namespace ringwright
