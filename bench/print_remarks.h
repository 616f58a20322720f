#pragma once

#include <cstdio>
#include <string>

#include "bench/bench_support.h"
#include "engine/engine_remarks.h"
#include "engine/engine_stack.h"
#include "engine/registry.h"

namespace ringwright::bench {

// What must stand beside every figure of the engine: how the library behind it was built.
inline void print_remarks(const std::string& engine) {
  const auto made = make_engine_stack(registry(), engine);
  require(made.has_value(), made.status().to_string());
  for (const std::string& remark : engine_remarks(registry(), engine))
    std::printf("remark    %s\n", remark.c_str());
}

}  // namespace ringwright::bench
