#include "engine/base/call_gate.h"

#include <gtest/gtest.h>

#include <optional>

namespace ringwright {
namespace {

TEST(CallGate, ShutWithinADeadlineSaysWhetherAllAreOut) {
  CallGate gate;
  EXPECT_FALSE(CallGate::Pass(gate));
  gate.open();
  std::optional<CallGate::Pass> inside(std::in_place, gate);
  ASSERT_TRUE(*inside);
  EXPECT_FALSE(gate.shut_within(milliseconds(1)));
  EXPECT_FALSE(CallGate::Pass(gate)) << "it is shut all the same";
  inside.reset();
  EXPECT_TRUE(gate.shut_within(milliseconds(1)));
  gate.open();
  EXPECT_TRUE(CallGate::Pass(gate));
}

}  // namespace
}  // namespace ringwright
