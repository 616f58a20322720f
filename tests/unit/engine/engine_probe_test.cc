#include "engine/engine_probe.h"

#include <gtest/gtest.h>

#include "engine/builtin_engines.h"
#include "tests/support/temporary_disk.h"

namespace ringwright {
namespace {

TEST(EngineProbe, tells_what_an_engine_can_do) {
  Registry registry;
  register_builtin_engines(registry);
  const auto memory = probe_engine(registry, "memory", make_temporary_disk());
  ASSERT_TRUE(memory) << memory.status().to_string();
  EXPECT_EQ(memory->durabilities,
            (std::vector{Durability::none, Durability::os, Durability::disk}));
  EXPECT_TRUE(memory->merge);
  EXPECT_TRUE(memory->non_blocking);
  const auto null = probe_engine(registry, "null", make_temporary_disk());
  ASSERT_TRUE(null) << null.status().to_string();
  EXPECT_EQ(null->durabilities, std::vector{Durability::none});
  EXPECT_EQ(probe_engine(registry, "nul", make_temporary_disk()).status().code(), Code::invalid);
}

}  // namespace
}  // namespace ringwright
