// Two resolvers in one plugin: a cluster that uses them loads it by the setting
// `plugins.load = "picks"`, since its file has the name of neither.
#include <engine/plugin_api.h>
#include <replication/resolver/conflict_resolver.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

namespace picks {

namespace rw = ringwright;

// Keeps the greatest sibling in an order that is total on values, so the outcome does not depend on
// the order in which they came. The record keeps them all until somebody puts with its context.
class PickResolver final : public rw::ConflictResolver {
 public:
  // Whether the right value is to be preferred.
  using Less = bool (*)(const rw::Bytes& left, const rw::Bytes& right);

  PickResolver(std::string name, Less less) : name_(std::move(name)), less_(less) {}

  std::string_view name() const override { return name_; }
  rw::RecordKind record_kind() const override { return rw::RecordKind::siblings; }
  std::vector<rw::ShownSibling> resolve(rw::ByteView,
                                        std::vector<rw::ShownSibling> siblings) const override {
    const auto picked = std::max_element(
        siblings.begin(), siblings.end(),
        [this](const rw::ShownSibling& left, const rw::ShownSibling& right) {
          // Of equal values the one with the greater dot, so that this too is no matter of order.
          return left.value == right.value ? left.dot < right.dot : less_(left.value, right.value);
        });
    return {*picked};
  }

 private:
  std::string name_;
  Less less_;
};

void add_parts(rw::Registry& registry) {
  registry.add<rw::ConflictResolver>("longest", [] {
    return std::make_unique<PickResolver>(
        "longest", [](const rw::Bytes& left, const rw::Bytes& right) {
          return left.size() == right.size() ? left < right : left.size() < right.size();
        });
  });
  registry.add<rw::ConflictResolver>("greatest", [] {
    return std::make_unique<PickResolver>(
        "greatest", [](const rw::Bytes& left, const rw::Bytes& right) { return left < right; });
  });
}

}  // namespace picks

RINGWRIGHT_PLUGIN(.name = "picks", .version = "0.1", .licence = "Apache-2.0",
                  .add_parts = picks::add_parts);
