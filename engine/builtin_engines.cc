#include "engine/builtin_engines.h"

namespace ringwright {

void register_builtin_engines(Registry& registry) {
  add_memory_engine(registry);
  add_null_engine(registry);

  // Every decorator, in one place; an engine description says in which order they wrap.
  add_faulty_engine(registry);
  add_metered_engine(registry);
  add_pausable_engine(registry);
  add_slow_engine(registry);
}

}  // namespace ringwright
