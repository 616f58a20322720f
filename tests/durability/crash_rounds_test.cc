#include "tests/durability/crash_rounds.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "engine/decorator/forwarding_engine.h"
#include "engine/engine_decorator.h"
#include "engine/registry.h"
#include "tests/durability/test_engines.h"
#include "tests/support/temporary_disk.h"

namespace ringwright::durability {
namespace {

constexpr std::uint64_t seed = 20260801;

RunFigures run(const std::string& engine, Durability durability, Mode mode, std::uint64_t rounds,
               const std::string& folder) {
  RunPlan plan;
  plan.engine = engine;
  plan.durability = durability;
  plan.mode = mode;
  plan.seed = seed;
  plan.rounds = rounds;
  plan.folder = folder + "/rounds";
  plan.rerun = "scripts/durability --engine '" + engine + "' --class " +
               std::string(durability_name(durability)) + " --mode " + std::string(mode_name(mode));
  return run_rounds(plan);
}

// A failure leaves its directory for whoever looks into it.
RunFigures run(const std::string& engine, Durability durability, Mode mode, std::uint64_t rounds) {
  std::string folder = testing::TempDir() + "durability_XXXXXX";
  RW_CHECK(::mkdtemp(folder.data()) != nullptr);
  RunFigures figures = run(engine, durability, mode, rounds, folder);
  std::error_code ignored;
  if (figures.failure.empty()) std::filesystem::remove_all(folder, ignored);
  return figures;
}

class Killed : public testing::TestWithParam<std::string> {};

TEST_P(Killed, ClassOsLosesNothingAcknowledgedAndKeepsAPrefix) {
  const RunFigures figures = run(GetParam(), Durability::os, Mode::kill, 100);
  EXPECT_EQ(figures.failure, "");
  EXPECT_GT(figures.acknowledged, 1000u);
}

TEST_P(Killed, ClassDiskLosesNothingAcknowledgedAndKeepsAPrefix) {
  const RunFigures figures = run(GetParam(), Durability::disk, Mode::kill, 100);
  EXPECT_EQ(figures.failure, "");
  EXPECT_GT(figures.acknowledged, 1000u);
  EXPECT_GT(figures.syncs, 100u);
}

TEST_P(Killed, ClassNoneLosesNothingFlushedAndKeepsAPrefix) {
  const RunFigures figures = run(GetParam(), Durability::none, Mode::kill, 100);
  EXPECT_EQ(figures.failure, "");
  EXPECT_GT(figures.acknowledged, 0u);
}

INSTANTIATE_TEST_SUITE_P(Engines, Killed, testing::ValuesIn(durable_engines()), engine_test_name);

class PowerCut : public testing::TestWithParam<std::string> {};

TEST_P(PowerCut, ClassDiskLosesNothingAcknowledgedAndKeepsAPrefix) {
  const RunFigures figures = run(GetParam(), Durability::disk, Mode::power, 30);
  EXPECT_EQ(figures.failure, "");
  EXPECT_GT(figures.acknowledged, 300u);
}

TEST_P(PowerCut, ClassDiskHoldsWhereSomeOfTheUnsyncedSurvivesInAnyOrder) {
  const RunFigures figures = run(GetParam(), Durability::disk, Mode::survive, 30);
  EXPECT_EQ(figures.failure, "");
  EXPECT_GT(figures.acknowledged, 300u);
}

// What shows that the power is really cut: a class that does not sync loses.
TEST_P(PowerCut, ClassOsLosesAndKeepsAPrefix) {
  const RunFigures figures = run(GetParam(), Durability::os, Mode::power, 30);
  EXPECT_EQ(figures.failure, "");
  EXPECT_GT(figures.rounds_with_losses, 5u);
}

INSTANTIATE_TEST_SUITE_P(Engines, PowerCut, testing::ValuesIn(durable_engines()), engine_test_name);

// Engines that break one promise each, to show that the rounds notice.
class LateEngine final : public ForwardingEngine {
 public:
  using ForwardingEngine::ForwardingEngine;
  std::string_view name() const override { return "late"; }
  // Answers before it has written: the batch goes in with the next one.
  Result<std::uint64_t> write(const WriteBatch& batch, MayBlock) override {
    const WriteBatch before = std::exchange(kept_, batch);
    if (const auto written = ForwardingEngine::write(before, MayBlock::yes); !written)
      return written;
    return ++sequence_;
  }

 private:
  WriteBatch kept_;
  std::uint64_t sequence_ = 1'000'000;
};

class TearingEngine final : public ForwardingEngine {
 public:
  using ForwardingEngine::ForwardingEngine;
  std::string_view name() const override { return "tearing"; }
  Result<std::uint64_t> write(const WriteBatch& batch, MayBlock may_block) override {
    Result<std::uint64_t> written = ForwardingEngine::write({}, may_block);
    for (const WriteBatch::Operation& operation : batch.operations()) {
      WriteBatch one;
      if (operation.kind == WriteBatch::Kind::put) one.put(operation.key, operation.value);
      if (operation.kind == WriteBatch::Kind::remove) one.remove(operation.key);
      if (operation.kind == WriteBatch::Kind::merge) one.merge(operation.key, operation.value);
      written = ForwardingEngine::write(one, MayBlock::yes);
    }
    return written;
  }
};

class ForgettingEngine final : public ForwardingEngine {
 public:
  using ForwardingEngine::ForwardingEngine;
  std::string_view name() const override { return "forgetting"; }
  Result<std::uint64_t> write(const WriteBatch& batch, MayBlock may_block) override {
    WriteBatch kept;
    for (const WriteBatch::Operation& operation : batch.operations()) {
      const bool forgotten = operation.kind == WriteBatch::Kind::remove && ++removes_ % 50 == 0;
      if (forgotten) continue;
      if (operation.kind == WriteBatch::Kind::put) kept.put(operation.key, operation.value);
      if (operation.kind == WriteBatch::Kind::remove) kept.remove(operation.key);
      if (operation.kind == WriteBatch::Kind::merge) kept.merge(operation.key, operation.value);
    }
    return ForwardingEngine::write(kept, may_block);
  }

 private:
  std::uint64_t removes_ = 0;
};

template <typename Wrapper>
std::string failure_of(const std::string& name) {
  registry().add<EngineDecorator>(name,
                                  [] { return std::make_unique<EngineDecoratorOf<Wrapper>>(); });
  const TemporaryFolder folder;
  return run(name + "(memory)", Durability::os, Mode::kill, 200, folder.path()).failure;
}

TEST(RoundsNotice, AnAcknowledgedWriteThatIsLost) {
  EXPECT_NE(failure_of<LateEngine>("late").find("was acknowledged: lost"), std::string::npos);
}

TEST(RoundsNotice, ABatchThatIsTorn) {
  const std::string failure = failure_of<TearingEngine>("tearing");
  const bool seen = failure.find("torn") != std::string::npos ||
                    failure.find("what was recovered is not") != std::string::npos;
  EXPECT_TRUE(seen) << failure;
}

TEST(RoundsNotice, ARowThatShouldBeGone) {
  EXPECT_NE(failure_of<ForgettingEngine>("forgetting").find("should not be there"),
            std::string::npos);
}

// Says that it has synced.
class LyingEngine final : public ForwardingEngine {
 public:
  using ForwardingEngine::ForwardingEngine;
  std::string_view name() const override { return "lying"; }
  Status sync(std::uint64_t, MayBlock) override { return ok_status(); }
};

TEST(RoundsNotice, ASyncThatIsNone) {
  registry().add<EngineDecorator>(
      "lying", [] { return std::make_unique<EngineDecoratorOf<LyingEngine>>(); });
  const TemporaryFolder folder;
  const RunFigures figures = run("lying(memory)", Durability::disk, Mode::power, 30, folder.path());
  EXPECT_NE(figures.failure.find("was acknowledged: lost"), std::string::npos) << figures.failure;
}

TEST(RoundsNotice, ARefusedOpen) {
  const TemporaryFolder folder;
  EXPECT_NE(run("no_such_engine", Durability::os, Mode::kill, 1, folder.path()).failure, "");
}

}  // namespace
}  // namespace ringwright::durability
