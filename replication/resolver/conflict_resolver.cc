#include "replication/resolver/conflict_resolver.h"

#include <memory>

#include "engine/registry.h"

namespace ringwright {
namespace {

// Keeps what it is given: the record's kind has already decided what is concurrent.
class KeepAllResolver final : public ConflictResolver {
 public:
  KeepAllResolver(std::string_view name, RecordKind record_kind)
      : name_(name), record_kind_(record_kind) {}
  std::string_view name() const override { return name_; }
  RecordKind record_kind() const override { return record_kind_; }
  std::vector<ShownSibling> resolve(ByteView, std::vector<ShownSibling> siblings) const override {
    return siblings;
  }

 private:
  std::string_view name_;
  RecordKind record_kind_;
};

}  // namespace

void register_builtin_resolvers(Registry& registry) {
  registry.add<ConflictResolver>("vector_clock", [] {
    return std::make_unique<KeepAllResolver>("vector_clock", RecordKind::siblings);
  });
  registry.add<ConflictResolver>(
      "lww", [] { return std::make_unique<KeepAllResolver>("lww", RecordKind::lww); });
}

}  // namespace ringwright
