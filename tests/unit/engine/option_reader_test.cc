#include "engine/option_reader.h"

#include <gtest/gtest.h>

#include "engine/engine_stack.h"

namespace ringwright {
namespace {

Status open(const std::string& description, EngineOptions options) {
  auto engine = make_engine_stack(registry(), description);
  if (!engine) return engine.error();
  return (*engine)->open({"engine", std::move(options), Durability::none, nullptr, nullptr});
}

TEST(OptionReader, reads_what_is_given_and_leaves_the_rest) {
  const EngineOptions given = {{"delay", "2ms"}, {"room", "3KiB"}, {"seed", "7"}, {"word", "x"}};
  OptionReader reader("the decorator 'mine'", given);
  Nanoseconds delay = 0;
  Nanoseconds other = 5;
  std::uint64_t room = 0;
  std::uint64_t seed = 0;
  reader.read_duration("delay", delay, seconds(1));
  reader.read_duration("other", other, seconds(1));
  reader.read_size("room", room);
  reader.read("seed", seed);
  ASSERT_NE(reader.text("word"), nullptr);
  EXPECT_EQ(*reader.text("word"), "x");
  EXPECT_EQ(reader.text("none"), nullptr);
  EXPECT_EQ(reader.finish(), ok_status());
  EXPECT_EQ(delay, milliseconds(2));
  EXPECT_EQ(other, 5);
  EXPECT_EQ(room, 3072u);
  EXPECT_EQ(seed, 7u);
}

TEST(OptionReader, names_the_option_that_it_cannot_read) {
  for (const auto& [value, part] :
       {std::pair{"2", "write it with a unit"}, {"2s", "'2s' is above 1s"}, {"fast", "'fast'"}}) {
    const EngineOptions given = {{"delay", value}};
    OptionReader reader("the decorator 'mine'", given);
    Nanoseconds delay = 0;
    reader.read_duration("delay", delay, seconds(1));
    const Status status = reader.finish();
    EXPECT_EQ(status.code(), Code::invalid);
    EXPECT_NE(status.message().find("option delay of the decorator 'mine': "), std::string::npos)
        << status.message();
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  }
  const EngineOptions given = {{"seed", "-1"}};
  OptionReader reader("it", given);
  std::uint64_t seed = 0;
  reader.read("seed", seed);
  EXPECT_EQ(reader.finish().message(), "option seed of it: '-1' is no whole number");
}

TEST(OptionReader, refuses_what_nobody_asked_for) {
  const EngineOptions given = {{"deley", "2ms"}};
  OptionReader reader("the decorator 'mine'", given);
  Nanoseconds delay = 0;
  reader.read_duration("delay", delay, seconds(1));
  EXPECT_EQ(reader.finish().message(),
            "the decorator 'mine' has no option 'deley'; did you mean 'delay'?");
  EXPECT_EQ(OptionReader("it", given).finish().message(), "it has no options, so no 'deley'");
}

TEST(EngineStackOptions, go_to_whose_name_they_carry_and_no_further) {
  EXPECT_EQ(open("slow(memory)", {{"slow.read_latency", "1ms"}, {"native_merge", "false"}}),
            ok_status());
  EXPECT_EQ(open("metered(slow(pausable(faulty(memory))))", {{"slow.jitter", "10%"},
                                                             {"pausable.deadline", "1s"},
                                                             {"faulty.read_fails", "0"},
                                                             {"native_merge", "true"}}),
            ok_status());
  for (const auto& [option, part] :
       {std::pair{"slow.read_latncy",
                  "'slow' has no option 'read_latncy'; did you mean "
                  "'read_latency'?"},
        {"slow.slow.read_latency", "'slow' has no option 'slow.read_latency'"},
        {"pausable.deadlne", "did you mean 'deadline'?"},
        {"faulty.read_fail", "did you mean 'read_fails'?"},
        {"metered.buckets", "the decorator 'metered' has no options, so no 'buckets'"},
        {"native_murge", "'memory' has no option 'native_murge'"},
        {"fast.x", "'memory' has no option 'fast.x'"}}) {
    const Status status = open("metered(slow(pausable(faulty(memory))))", {{option, "1"}});
    EXPECT_EQ(status.code(), Code::invalid) << option;
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  }
}

TEST(EngineStackOptions, of_two_equal_decorators_go_to_the_outermost) {
  const EngineContext context{
      "engine", {{"slow.seed", "1"}, {"slow.jitter", "1ms"}, {"other", "x"}}, {}, {}, {}};
  const SplitOptions outer = split_options(context, "slow");
  EXPECT_EQ(outer.own, (EngineOptions{{"seed", "1"}, {"jitter", "1ms"}}));
  EXPECT_EQ(outer.inwards.options, (EngineOptions{{"other", "x"}}));
  EXPECT_TRUE(split_options(outer.inwards, "slow").own.empty());
  EXPECT_EQ(open("slow(slow(memory))", {{"slow.read_latency", "1ms"}}), ok_status());
}

}  // namespace
}  // namespace ringwright
