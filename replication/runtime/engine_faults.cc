#include "replication/runtime/engine_faults.h"

#include <array>
#include <charconv>

#include "engine/decorator/fault_options.h"
#include "engine/decorator/faulty_engine.h"
#include "engine/decorator/pausable_engine.h"
#include "engine/engine_stack.h"

namespace ringwright {
namespace {

std::string number_text(double number) {
  std::array<char, 32> digits{};
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr};
}

Status lacks(StorageEngine& stack, const EngineFaults& change, const std::string& decorator,
             const std::string& what) {
  const std::string engine = describe(stack);
  return {Code::invalid, "the engine of keyspace '" + change.keyspace + "' cannot be " + what +
                             ": keyspace." + change.keyspace + ".engine is '" + engine +
                             "', write '" + decorator + "(" + engine + ")'"};
}

}  // namespace

std::optional<EngineFaults> engine_faults_of(StorageEngine& stack, std::string_view keyspace) {
  const auto plan = FaultyEngine::plan_of(stack);
  const auto pause = PausableEngine::switch_of(stack);
  if (!plan && !pause) return std::nullopt;
  EngineFaults known{std::string(keyspace), std::nullopt, {}};
  if (pause) known.paused = pause->is_paused();
  if (!plan) return known;
  for (std::size_t i = 0; i < engine_fault_kinds; ++i) {
    const auto kind = static_cast<EngineFault>(i);
    if (const double probability = plan->probability(kind); probability > 0)
      known.faults.emplace(engine_fault_name(kind), number_text(probability));
  }
  if (const auto space = plan->space()) known.faults.emplace("space", std::to_string(*space));
  return known;
}

Status change_engine_faults(StorageEngine& stack, const EngineFaults& change) {
  const auto plan = FaultyEngine::plan_of(stack);
  const auto pause = PausableEngine::switch_of(stack);
  if (change.paused && !pause) return lacks(stack, change, "pausable", "paused");
  if (!change.faults.empty() && !plan) return lacks(stack, change, "faulty", "made to fail");
  if (plan) RW_TRY(arm_faults(*plan, change.faults));
  if (!change.paused) return ok_status();
  if (*change.paused)
    pause->pause();
  else
    pause->resume();
  return ok_status();
}

}  // namespace ringwright
