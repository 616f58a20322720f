#include "engine/bundled_plugins.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "engine/plugin_loader.h"
#include "engine/storage_engine.h"
#include "tests/support/temporary_disk.h"

namespace ringwright {
namespace {

TEST(BundledPlugins, a_part_that_is_absent_says_why) {
  Registry registry;
  const BundledPlugin not_built{"engine", "odd_engine", "the odd library was not found"};
  EXPECT_EQ(why_absent(registry, not_built),
            "the engine 'odd_engine' was not built: the odd library was not found");

  TemporaryFolder folder;
  registry.add_plugin_folders({folder.path()});
  const BundledPlugin built{"engine", "odd_engine", ""};
  const std::string why = why_absent(registry, built);
  EXPECT_TRUE(
      why.starts_with("the engine 'odd_engine' is not there: ringwright_odd_engine.so was "
                      "not found in " +
                      folder.path() + ", "))
      << why;
  std::ofstream(folder.path() + "/ringwright_odd_engine.so") << "anything";
  EXPECT_EQ(why_absent(registry, built), "");
  EXPECT_EQ(why_absent(registry, not_built), "") << "it came from elsewhere";
}

TEST(BundledPlugins, the_error_of_an_unknown_engine_says_so) {
  Registry registry;
  EXPECT_EQ(why_absent(registry, "engine", "no_such_engine"), "");
  const auto bundled = bundled_plugins();
  const auto present = plugin_names(registry);
  for (const BundledPlugin& plugin : bundled) {
    const bool is_there = std::find(present.begin(), present.end(), plugin.name) != present.end();
    EXPECT_EQ(why_absent(registry, plugin.kind, plugin.name).empty(), is_there) << plugin.name;
    if (is_there || plugin.kind != StorageEngine::kind) continue;
    EXPECT_EQ(registry.create<StorageEngine>(plugin.name).status().message(),
              why_absent(registry, plugin));
  }
  EXPECT_TRUE(std::any_of(bundled.begin(), bundled.end(),
                          [](const BundledPlugin& plugin) { return plugin.name == "rocksdb"; }));
}

}  // namespace
}  // namespace ringwright
