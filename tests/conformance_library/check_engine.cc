#include "tests/conformance_library/check_engine.h"

#include <cstdio>
#include <mutex>

#include "engine/engine_stack.h"
#include "replication/runtime/parts.h"
#include "tests/conformance/engine_conformance_tests.h"
#include "tests/support/temporary_disk.h"

namespace ringwright {
namespace {

// What the suite's only instance is asked about; a new content for each run.
const std::shared_ptr<EngineUnderTest> asked = std::make_shared<EngineUnderTest>();

EngineUnderTest the_one_asked_about() {
  EngineUnderTest under_test;
  under_test.name = "engine";
  under_test.instead = asked;
  return under_test;
}

INSTANTIATE_TEST_SUITE_P(Checked, EngineConformance, testing::Values(the_one_asked_about()),
                         engine_under_test_name);

class Teller final : public testing::EmptyTestEventListener {
 public:
  explicit Teller(RingwrightCheckListener listener) : listener_(listener) {}

  void OnTestStart(const testing::TestInfo& test) override {
    listener_(name_of(test).c_str(), ringwright_check_started, "", 0);
  }
  void OnTestEnd(const testing::TestInfo& test) override {
    const testing::TestResult& result = *test.result();
    std::string told;
    for (int i = 0; i < result.total_part_count(); ++i) {
      const testing::TestPartResult& part = result.GetTestPartResult(i);
      if (part.passed()) continue;
      if (!told.empty()) told += "\n";
      if (part.failed() && part.file_name() != nullptr)
        told += base_name(part.file_name()) + ":" + std::to_string(part.line_number()) + ": ";
      told += part.message();
    }
    const int outcome = result.Failed()    ? ringwright_check_failed
                        : result.Skipped() ? ringwright_check_skipped
                                           : ringwright_check_passed;
    listener_(name_of(test).c_str(), outcome, told.c_str(),
              static_cast<double>(result.elapsed_time()) / 1000);
  }

 private:
  // "removes_a_row" of "removes_a_row/engine".
  static std::string name_of(const testing::TestInfo& test) {
    const std::string name = test.name();
    return name.substr(0, name.rfind('/'));
  }
  static std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

  const RingwrightCheckListener listener_;
};

// Opens the engine once. `invalid`: what is asked of it makes no sense, so there is nothing to
// test. Otherwise the class to demand: the one wanted, else the strongest that the engine says it
// has.
Result<Durability> choose_class(const EngineUnderTest& tested, std::optional<Durability> wanted) {
  const auto engine = tested.make();
  const Status opened = engine->open({"probe", tested.options, wanted.value_or(Durability::none),
                                      std::make_shared<WordsPolicy>(), tested.make_disk()});
  if (opened.code() == Code::invalid) return opened;
  const Durability chosen = wanted.value_or(engine->capabilities().durability);
  engine->close().ignore("the tests find out");
  return chosen;
}

Status describe_engine(const std::string& engine, const std::string& durability,
                       const char* const* options, const std::string& an_option) {
  EngineUnderTest tested;
  tested.name = "engine";
  tested.make_disk = make_temporary_disk;
  tested.an_option = an_option;
  for (; options[0] != nullptr; options += 2) tested.options[options[0]] = options[1];
  if (const auto made = make_engine_stack(registry_with_parts(), engine); !made)
    return made.error();
  tested.make = [engine] {
    auto made = make_engine_stack(registry_with_parts(), engine);
    RW_CHECK(made.has_value());
    return std::move(*made);
  };
  std::optional<Durability> wanted;
  if (!durability.empty()) {
    const auto named = parse_durability(durability);
    if (!named) return named.error();
    wanted = *named;
  }
  const auto chosen = choose_class(tested, wanted);
  if (!chosen) return chosen.error();
  tested.durability = *chosen;
  *asked = std::move(tested);
  return ok_status();
}

int run_suite(const std::string& tests, RingwrightCheckListener listener) {
  static const bool begun = [] {
    testing::InitGoogleTest();
    auto& listeners = testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
    return true;
  }();
  static_cast<void>(begun);
  GTEST_FLAG_SET(filter, tests);
  GTEST_FLAG_SET(catch_exceptions, true);
  testing::UnitTest& suite = *testing::UnitTest::GetInstance();
  auto* const teller = new Teller(listener);
  suite.listeners().Append(teller);
  [[maybe_unused]] const int told_by_the_count = RUN_ALL_TESTS();
  delete suite.listeners().Release(teller);
  return suite.test_to_run_count() == 0 ? -1 : suite.failed_test_count();
}

}  // namespace
}  // namespace ringwright

int ringwright_check_engine(const char* engine, const char* durability, const char* const* options,
                            const char* an_option, const char* tests,
                            RingwrightCheckListener listener, char* text, std::size_t text_size) {
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  const auto tell = [&](std::string_view told) {
    std::snprintf(text, text_size, "%.*s", static_cast<int>(told.size()), told.data());
  };
  const ringwright::Status described =
      ringwright::describe_engine(engine, durability, options, an_option);
  if (!described.is_ok()) {
    tell(described.message());
    return -1;
  }
  const int failed = ringwright::run_suite(tests, listener);
  tell(failed < 0 ? "no test has such a name"
                  : ringwright::durability_name(ringwright::asked->durability));
  return failed;
}
