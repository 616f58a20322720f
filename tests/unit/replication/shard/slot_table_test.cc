#include "replication/shard/slot_table.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>

#include "engine/base/random.h"

namespace ringwright {
namespace {

TEST(SlotTable, FindsAnEntryUntilItIsErased) {
  SlotTable<std::string> table;
  EXPECT_EQ(table.find(0), nullptr);
  EXPECT_EQ(table.find(1), nullptr);
  const auto id = table.add("a");
  EXPECT_NE(id, 0u);
  EXPECT_EQ(table.at(id), "a");
  EXPECT_EQ(table.size(), 1u);
  table.erase(id);
  EXPECT_EQ(table.find(id), nullptr);
  EXPECT_EQ(table.size(), 0u);
}

TEST(SlotTable, ASlotGivenAwayAgainHasAnotherName) {
  SlotTable<int> table;
  const auto first = table.add(1);
  table.erase(first);
  const auto second = table.add(2);
  EXPECT_NE(first, second);
  EXPECT_EQ(table.find(first), nullptr);
  EXPECT_EQ(table.at(second), 2);
}

TEST(SlotTable, NamesBeginWhereTheyAreTold) {
  SlotTable<int> one(1);
  SlotTable<int> two(2);
  EXPECT_NE(one.add(1), two.add(1));
  // Also where the count of uses wraps around.
  SlotTable<int> last(UINT64_MAX);
  const auto before = last.add(1);
  EXPECT_NE(before, 0u);
  EXPECT_EQ(before >> SlotTable<int>::id_bits, 0u);
  last.erase(before);
  EXPECT_EQ(last.at(last.add(2)), 2);
}

TEST(SlotTable, EntriesStayWhereTheyAre) {
  SlotTable<std::string> table;
  const auto id = table.add("a");
  const std::string* const at = table.find(id);
  for (int i = 0; i < 1000; ++i) table.add("b");
  EXPECT_EQ(table.find(id), at);
}

TEST(SlotTable, AnErasedEntryIsDestroyedAtOnce) {
  SlotTable<std::shared_ptr<int>> table;
  const auto value = std::make_shared<int>(1);
  const auto id = table.add(std::shared_ptr<int>(value));
  EXPECT_EQ(value.use_count(), 2);
  table.erase(id);
  EXPECT_EQ(value.use_count(), 1);
}

TEST(SlotTable, NoNameComesBackAndEachFindsItsOwn) {
  SeededRandom random(1, "slot_table");
  SlotTable<int> table;
  std::map<std::uint64_t, int> model;
  std::set<std::uint64_t> ever;
  for (int step = 0; step < 20000; ++step) {
    if (random.below(2) == 0 && model.size() < 100) {
      const auto id = table.add(int{step});
      ASSERT_TRUE(ever.insert(id).second);
      model.emplace(id, step);
    } else if (!model.empty()) {
      const auto at = model.lower_bound(random.below(ever.size() << 20));
      const auto chosen = at == model.end() ? model.begin() : at;
      table.erase(chosen->first);
      model.erase(chosen);
    }
    ASSERT_EQ(table.size(), model.size());
  }
  for (const std::uint64_t id : ever) {
    const auto at = model.find(id);
    ASSERT_EQ(table.find(id) != nullptr, at != model.end());
    if (at == model.end()) continue;
    ASSERT_EQ(table.at(id), at->second);
  }
}

}  // namespace
}  // namespace ringwright
