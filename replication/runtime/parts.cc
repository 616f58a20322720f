#include "replication/runtime/parts.h"

#include "replication/resolver/conflict_resolver.h"
#include "replication/runtime/loopback.h"

namespace ringwright {

Registry& registry_with_parts() {
  static Registry& parts = []() -> Registry& {
    register_builtin_resolvers(registry());
    registry().add<TransportFactory>("loopback", make_loopback_factory);
    return registry();
  }();
  return parts;
}

}  // namespace ringwright
