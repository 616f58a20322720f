#include "replication/history/history.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ringwright {
namespace {

HistoryOperation example() {
  HistoryOperation operation;
  operation.id = 7;
  operation.client = 2;
  operation.session = 1;
  operation.key = "key";
  operation.kind = OperationKind::put;
  operation.value = "c2:7";
  operation.context_in = empty_context("default", "key");
  operation.context_out = empty_context("default", "key");
  const Dot dot{{{0xabcdef, 2}, 0xffffffffffffffff, 3}, 4};
  operation.context_out->vector.raise(dot, 5);
  operation.context_out->stamp = 5;
  operation.events = {{dot, 5}};
  operation.w = 2;
  operation.n = 3;
  operation.invoke_t = 1'000;
  operation.return_t = 2'000;
  operation.outcome = Outcome::ok;
  operation.coordinator = "node1";
  return operation;
}

TEST(History, SurvivesTheWayThroughJson) {
  History history{example()};
  HistoryOperation read = example();
  read.kind = OperationKind::get;
  read.value.clear();
  read.events.clear();
  read.read = {{Bytes("\x00\xff text", 7), {{{1, 2}, 3, 4}, 5}, 6}, {"plain", {}, 0}};
  read.outcome = Outcome::unknown;
  read.code = Code::timed_out;
  read.return_t = never;
  history.push_back(read);
  const auto parsed = parse_json_lines(to_json_lines(history));
  ASSERT_TRUE(parsed.has_value()) << parsed.error().to_string();
  EXPECT_EQ(*parsed, history);
}

TEST(History, IsOneObjectALineInTheNamesOfTheFormat) {
  const std::string text = to_json_lines({example()});
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  for (const char* name : {"\"id\":7", "\"type\":\"ok\"", "\"kind\":\"put\"", "\"value\":\"c2:7\"",
                           "\"ctx_in\":", "\"ctx_out\":", "\"dots\":", "\"invoke_t\":1000",
                           "\"return_t\":2000", "\"coord\":\"node1\""})
    EXPECT_NE(text.find(name), std::string::npos) << name << " is not in " << text;
}

TEST(History, RefusesWhatIsNoOperationAndNamesTheLine) {
  const std::string good = to_json_lines({example()});
  for (const std::string bad :
       {"nonsense", "[]", "{}", "{\"id\":1}", "{\"id\":-1,\"client\":0,\"kind\":\"put\"}",
        "{\"id\":1,\"client\":0,\"kind\":\"swap\",\"type\":\"ok\",\"invoke_t\":1}",
        "{\"id\":1,\"client\":0,\"kind\":\"put\",\"type\":\"ok\",\"invoke_t\":1,\"dots\":[1]}",
        "{\"id\":1,\"client\":0,\"kind\":\"put\",\"type\":\"ok\",\"invoke_t\":\"1\"}"}) {
    const auto parsed = parse_json_lines(good + bad + "\n");
    ASSERT_FALSE(parsed.has_value()) << bad;
    EXPECT_NE(parsed.error().message().find("line 2"), std::string::npos);
  }
}

}  // namespace
}  // namespace ringwright
