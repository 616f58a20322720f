#include "engine/registry.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "engine/base/limits.h"
#include "engine/base/nearest.h"
#include "engine/builtin_engines.h"
#include "engine/decorator/faulty_engine.h"
#include "engine/engine_stack.h"
#include "engine/plugin_loader.h"
#include "tests/support/temporary_disk.h"

namespace ringwright {
namespace {

// Only built-in parts, and only the plugin files that a test puts into the folder.
class RegistryTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* const before = std::getenv("RINGWRIGHT_PLUGIN_PATH");
    if (before != nullptr) path_before_ = before;
    ::setenv("RINGWRIGHT_PLUGIN_PATH", (":" + folder_.path() + ":/nowhere").c_str(), 1);
    register_builtin_engines(registry_);
  }
  void TearDown() override { ::setenv("RINGWRIGHT_PLUGIN_PATH", path_before_.c_str(), 1); }

  void add_file(const std::string& name) {
    std::ofstream(folder_.path() + "/" + name) << "not a library";
  }
  Status create(std::string_view name) { return registry_.create<StorageEngine>(name).status(); }

  TemporaryFolder folder_;
  std::string path_before_;
  Registry registry_;
};

TEST(NearestName, has_the_least_edit_distance) {
  const std::vector<std::string> known = {"memory", "null", "rocksdb"};
  EXPECT_EQ(nearest_name("rocksbd", known), "rocksdb");
  EXPECT_EQ(nearest_name("memroy", known), "memory");
  EXPECT_EQ(nearest_name("nul", known), "null");
  EXPECT_EQ(nearest_name("", known), "null");
  EXPECT_EQ(nearest_name("x", {}), "");
}

TEST_F(RegistryTest, creates_parts_by_name) {
  const auto engine = registry_.create<StorageEngine>("memory");
  ASSERT_TRUE(engine) << engine.status().to_string();
  EXPECT_EQ((*engine)->name(), "memory");
  EXPECT_TRUE(registry().create<StorageEngine>("null"));
  EXPECT_EQ(&registry(), &registry());
}

TEST_F(RegistryTest, unknown_name_points_at_the_nearest_and_lists_the_known) {
  add_file("ringwright_rocksdc.so");
  add_file("libringwright_other.so");
  add_file("ringwright_.so");
  add_file("ringwright_notes.txt");
  const Status status = create("rocksbd");
  EXPECT_EQ(status.code(), Code::invalid);
  // A build may have its own plugins beside the library, so only the head of the list is known.
  EXPECT_TRUE(status.message().starts_with("no engine named 'rocksbd'; did you mean 'rocks"))
      << status.message();
  EXPECT_NE(status.message().find("known: memory, null"), std::string::npos) << status.message();
  EXPECT_NE(status.message().find(", rocksdc"), std::string::npos) << status.message();
  EXPECT_EQ(status.message().find("other"), std::string::npos) << status.message();
}

TEST_F(RegistryTest, a_file_that_is_no_library_is_refused_by_name) {
  add_file("ringwright_broken.so");
  const Status status = create("broken");
  EXPECT_EQ(status.code(), Code::invalid);
  EXPECT_NE(status.message().find("ringwright_broken.so is refused"), std::string::npos)
      << status.message();
  EXPECT_EQ(load_plugin(registry_, folder_.path() + "/absent.so").code(), Code::invalid);
}

TEST_F(RegistryTest, names_never_lead_out_of_the_plugin_folders) {
  for (const char* const name : {"../broken", "a/b", "", ".", "a b"}) {
    const auto loaded = load_plugin_by_name(registry_, name);
    ASSERT_TRUE(loaded);
    EXPECT_EQ(*loaded, "");
  }
}

TEST_F(RegistryTest, absorbs_all_parts_or_none) {
  Registry plugin;
  add_null_engine(plugin);
  plugin.add<StorageEngine>("extra", [] { return std::unique_ptr<StorageEngine>(); });
  const Status refused = registry_.absorb(plugin, {.path = "/p/ringwright_extra.so"});
  EXPECT_EQ(refused.code(), Code::invalid);
  EXPECT_NE(refused.message().find("'null'"), std::string::npos) << refused.message();
  for (const Registry::Part& part : registry_.parts()) EXPECT_NE(part.name, "extra");

  Registry good;
  good.add<StorageEngine>("extra", [] { return std::unique_ptr<StorageEngine>(); });
  ASSERT_EQ(registry_.absorb(good, {.path = "/p/ringwright_extra.so"}), ok_status());
  ASSERT_EQ(registry_.absorb(good, {.path = "/p/ringwright_extra.so"}), ok_status()) << "once more";
  bool found = false;
  for (const Registry::Part& part : registry_.parts())
    found = found || (part.name == "extra" && part.origin == "/p/ringwright_extra.so");
  EXPECT_TRUE(found);
  EXPECT_EQ(create("extra").code(), Code::invalid) << "its factory makes nothing";
}

TEST_F(RegistryTest, describes_the_stack_that_a_description_makes) {
  for (const char* const description :
       {"memory", "null", "faulty(memory)", "faulty(faulty(null))"}) {
    const auto made = make_engine_stack(registry_, description);
    ASSERT_TRUE(made) << made.status().to_string();
    EXPECT_EQ(describe(**made), description);
  }
  const auto spaced = make_engine_stack(registry_, " faulty ( memory ) ");
  ASSERT_TRUE(spaced);
  EXPECT_EQ(describe(**spaced), "faulty(memory)");
  EXPECT_NE(FaultyEngine::plan_of(**spaced), nullptr);
  EXPECT_EQ(FaultyEngine::plan_of(**make_engine_stack(registry_, "memory")), nullptr);
}

TEST_F(RegistryTest, refuses_descriptions_that_make_no_stack) {
  for (const char* const description :
       {"", "faulty(memory", "faulty()", "faulty(memory))", "(memory)", "faulty(memory)x", "Memory",
        "faulty", "memory(null)", "fualty(memory)", "faulty(mem)"}) {
    const Status status = make_engine_stack(registry_, description).status();
    EXPECT_EQ(status.code(), Code::invalid) << description;
    EXPECT_FALSE(status.message().empty());
  }
  EXPECT_NE(make_engine_stack(registry_, "fualty(memory)").status().message().find("'faulty'"),
            std::string::npos);
  std::string deep = "memory";
  for (std::size_t i = 0; i <= limits::engine_stack_depth_max; ++i) deep = "faulty(" + deep + ")";
  EXPECT_EQ(make_engine_stack(registry_, deep).status().code(), Code::invalid);
}

}  // namespace
}  // namespace ringwright
