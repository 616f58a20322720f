#include "replication/client/context_memory.h"

#include <gtest/gtest.h>

#include "replication/version/context.h"

namespace ringwright {
namespace {

Bytes context_of(std::uint64_t birth, std::uint64_t counter) {
  Context context = empty_context("carts", "a");
  context.vector.raise({{{1, 2}, 3, birth}, counter}, timestamp_at(counter));
  context.stamp = timestamp_at(counter);
  return encode(context);
}

TEST(ContextMemoryTest, ReadsBelongToASessionAndWritesToAll) {
  ContextMemory memory(10);
  memory.note_read("carts", "a", 1, context_of(1, 2));
  EXPECT_EQ(memory.recall("carts", "a", 1), context_of(1, 2));
  EXPECT_EQ(memory.recall("carts", "a", 2), Bytes());
  EXPECT_EQ(memory.recall("default", "a", 1), Bytes());
  memory.note_written("carts", "a", 2, false, context_of(4, 5));
  EXPECT_EQ(memory.recall("carts", "a", 2), context_of(4, 5));
  const auto joined = decode_context(memory.recall("carts", "a", 1));
  ASSERT_TRUE(joined.has_value());
  EXPECT_TRUE(joined->descends(*decode_context(context_of(1, 2))));
  EXPECT_TRUE(joined->descends(*decode_context(context_of(4, 5))));
}

TEST(ContextMemoryTest, AWriteThatCoversTheReadReplacesIt) {
  ContextMemory memory(10);
  memory.note_read("carts", "a", 1, context_of(1, 2));
  memory.note_written("carts", "a", 1, true, context_of(4, 5));
  EXPECT_EQ(memory.recall("carts", "a", 1), context_of(4, 5));
  EXPECT_EQ(memory.size(), 1U);
}

TEST(ContextMemoryTest, TheLeastRecentlyUsedGoFirst) {
  ContextMemory memory(2);
  memory.note_written("carts", "a", 1, true, "A");
  memory.note_written("carts", "b", 1, true, "B");
  EXPECT_EQ(memory.recall("carts", "a", 1), "A");
  memory.note_written("carts", "c", 1, true, "C");
  EXPECT_EQ(memory.size(), 2U);
  EXPECT_EQ(memory.recall("carts", "b", 1), Bytes());
  EXPECT_EQ(memory.recall("carts", "a", 1), "A");
  EXPECT_EQ(memory.recall("carts", "c", 1), "C");
  memory.clear();
  EXPECT_EQ(memory.recall("carts", "a", 1), Bytes());
}

TEST(ContextMemoryTest, JoinLeavesOutWhatIsNoContext) {
  EXPECT_EQ(join_contexts("", context_of(1, 2)), context_of(1, 2));
  EXPECT_EQ(join_contexts("rubbish", context_of(1, 2)), context_of(1, 2));
  EXPECT_EQ(join_contexts(context_of(1, 2), "rubbish"), context_of(1, 2));
}

}  // namespace
}  // namespace ringwright
