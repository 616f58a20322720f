#include "replication/shard/deadlines.h"

#include <gtest/gtest.h>

#include <set>

#include "engine/base/random.h"

namespace ringwright {
namespace {

class DeadlinesTest : public ::testing::Test {
 protected:
  void add(Instant deadline, Deadlines::Id id) {
    deadlines.add(deadline, id);
    live.insert(id);
  }
  void end(Deadlines::Id id) {
    live.erase(id);
    deadlines.note_ended(live.size(), is_live());
  }
  std::vector<Deadlines::Id> in_order() { return deadlines.in_order(is_live()); }

  Deadlines deadlines;
  std::set<Deadlines::Id> live;

 private:
  std::function<bool(Deadlines::Id)> is_live() {
    return [this](Deadlines::Id id) { return live.contains(id); };
  }
};

TEST_F(DeadlinesTest, OfNothingIsNever) { EXPECT_EQ(deadlines.nearest(), never); }

TEST_F(DeadlinesTest, TheNearestIsInFrontAndTiesGoByName) {
  add(5, 1);
  add(3, 9);
  add(3, 2);
  EXPECT_EQ(deadlines.nearest(), 3);
  EXPECT_EQ(deadlines.nearest_id(), 2u);
  EXPECT_EQ(in_order(), (std::vector<Deadlines::Id>{2, 9, 1}));
}

TEST_F(DeadlinesTest, WhatEndedIsNeitherInFrontNorListed) {
  add(1, 1);
  add(2, 2);
  add(3, 3);
  end(2);
  EXPECT_EQ(in_order(), (std::vector<Deadlines::Id>{1, 3}));
  end(1);
  EXPECT_EQ(deadlines.nearest(), 3);
  end(3);
  EXPECT_EQ(deadlines.nearest(), never);
}

TEST_F(DeadlinesTest, AgreesWithASetOverRandomChanges) {
  SeededRandom random(1, "deadlines");
  std::set<std::pair<Instant, Deadlines::Id>> model;
  Deadlines::Id next = 1;
  for (int step = 0; step < 20000; ++step) {
    // Long phases of growing and of shrinking, so that most of what is kept has ended.
    if (random.below(100) < (step / 1000 % 2 == 0 ? 70u : 30u)) {
      const auto deadline = static_cast<Instant>(random.below(500));
      model.emplace(deadline, next);
      add(deadline, next++);
    } else if (!model.empty()) {
      const auto from = model.lower_bound({static_cast<Instant>(random.below(500)), 0});
      const auto chosen = from == model.end() ? model.begin() : from;
      const Deadlines::Id id = chosen->second;
      model.erase(chosen);
      end(id);
    }
    ASSERT_EQ(deadlines.nearest(), model.empty() ? never : model.begin()->first);
    if (model.empty()) continue;
    ASSERT_EQ(deadlines.nearest_id(), model.begin()->second);
  }
  std::vector<Deadlines::Id> expected;
  for (const auto& [deadline, id] : model) expected.push_back(id);
  EXPECT_EQ(in_order(), expected);
}

}  // namespace
}  // namespace ringwright
