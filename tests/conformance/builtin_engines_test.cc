#include "engine/decorator/faulty_engine.h"
#include "engine/engine_stack.h"
#include "engine/registry.h"
#include "tests/conformance/engine_conformance_tests.h"
#include "tests/support/temporary_disk.h"

namespace ringwright {
namespace {

EngineUnderTest stack(const std::string& description, Durability durability,
                      EngineOptions options = {}) {
  std::string name = description + "_" + std::string(durability_name(durability));
  for (const auto& [option, value] : options) name += "_" + option + "_" + value;
  std::replace(name.begin(), name.end(), '(', '_');
  std::replace(name.begin(), name.end(), '.', '_');
  std::erase(name, ')');
  return {name,
          [description] {
            auto made = make_engine_stack(registry(), description);
            RW_CHECK(made.has_value());
            return std::move(*made);
          },
          durability,
          make_temporary_disk,
          std::move(options),
          "native_merge"};
}

INSTANTIATE_TEST_SUITE_P(
    Builtin, EngineConformance,
    testing::Values(stack("memory", Durability::none), stack("memory", Durability::os),
                    stack("memory", Durability::disk),
                    stack("memory", Durability::os, {{"native_merge", "false"}}),
                    stack("faulty(memory)", Durability::os),
                    stack("faulty(faulty(memory))", Durability::disk),
                    stack("metered(memory)", Durability::os),
                    stack("slow(pausable(faulty(memory)))", Durability::disk,
                          {{"slow.read_latency", "2us"},
                           {"slow.write_latency", "2us"},
                           {"slow.sync_latency", "5us"},
                           {"slow.iterate_latency", "2us"},
                           {"slow.jitter", "1us"},
                           {"slow.bytes_per_second", "1GiB"}})),
    engine_under_test_name);

TEST(NullEngine, takes_writes_and_finds_nothing) {
  auto made = make_engine_stack(registry(), "null");
  ASSERT_TRUE(made) << made.status().to_string();
  StorageEngine& engine = **made;
  EXPECT_EQ(engine.open({"engine", {}, Durability::os, nullptr, nullptr}).code(), Code::invalid);
  EXPECT_EQ(engine.open({"engine", {{"a", "b"}}, Durability::none, nullptr, nullptr}).code(),
            Code::invalid);
  ASSERT_EQ(engine.open({"engine", {}, Durability::none, nullptr, nullptr}), ok_status());
  WriteBatch batch;
  batch.put("a", "1");
  const auto first = engine.write(batch, MayBlock::no);
  const auto second = engine.write(batch, MayBlock::no);
  ASSERT_TRUE(first && second);
  EXPECT_LT(*first, *second);
  EXPECT_EQ(engine.sync(*second, MayBlock::no), ok_status());
  const Bytes key = "a";
  const auto found = engine.multi_get({&key, 1}, MayBlock::no);
  ASSERT_TRUE(found.at(0));
  EXPECT_EQ(*found[0], std::nullopt);
  EXPECT_FALSE(engine.iterate({}, Direction::forward)->valid());
  EXPECT_EQ(engine.close(), ok_status());
  EXPECT_EQ(engine.write(batch, MayBlock::no).status().code(), Code::closed);
}

TEST(MemoryEngine, needs_no_disk_when_it_promises_nothing) {
  auto made = make_engine_stack(registry(), "memory");
  ASSERT_TRUE(made);
  StorageEngine& engine = **made;
  EXPECT_EQ(engine.open({"engine", {}, Durability::os, nullptr, nullptr}).code(), Code::invalid);
  ASSERT_EQ(engine.open({"engine", {}, Durability::none, nullptr, nullptr}), ok_status());
  EXPECT_EQ(engine.capabilities().durability, Durability::none);
  WriteBatch batch;
  batch.put("a", "1");
  EXPECT_TRUE(engine.write(batch, MayBlock::no));
  EXPECT_EQ(engine.flush(), ok_status());
  EXPECT_EQ(engine.stats().approximate_keys, 1u);
  EXPECT_EQ(engine.checkpoint("copy").code(), Code::invalid);
}

}  // namespace
}  // namespace ringwright
