#include "engine/engine_probe.h"

#include "engine/engine_stack.h"

namespace ringwright {
namespace {

// An engine that merges natively may need one to say so. No row is ever written.
class NoRowsPolicy final : public RecordPolicy {
 public:
  Bytes merge(ByteView, std::optional<ByteView>, std::span<const ByteView>) const override {
    return {};
  }
  Bytes join(ByteView, std::span<const ByteView>) const override { return {}; }
  bool droppable(ByteView, ByteView, std::uint64_t) const override { return false; }
};

}  // namespace

Result<EngineProbe> probe_engine(Registry& registry, std::string_view description,
                                 const std::shared_ptr<Disk>& disk) {
  EngineProbe probe;
  Status refused;
  for (const Durability durability : {Durability::none, Durability::os, Durability::disk}) {
    auto engine = make_engine_stack(registry, description);
    if (!engine) return engine.error();
    EngineContext context;
    context.path = std::string(durability_name(durability));
    context.durability = durability;
    context.policy = std::make_shared<NoRowsPolicy>();
    context.disk = disk;
    const Status opened = (*engine)->open(context);
    if (!opened.is_ok()) {
      refused = opened;
      continue;
    }
    const Capabilities able = (*engine)->capabilities();
    probe.durabilities.push_back(durability);
    probe.merge = able.merge;
    probe.non_blocking = able.non_blocking;
    RW_TRY((*engine)->close());
  }
  if (probe.durabilities.empty()) return refused;
  return probe;
}

}  // namespace ringwright
