#include <gtest/gtest.h>

#include <filesystem>

#include "engine/builtin_engines.h"
#include "engine/plugin_loader.h"
#include "replication/config/settings.h"
#include "replication/resolver/conflict_resolver.h"
#include "tests/support/temporary_disk.h"

namespace ringwright {
namespace {

// The plugin of tests/support/plugins/odd_plugin.cc that the loader takes: it brings the engine
// "odd".
class PluginSettings : public testing::Test {
 protected:
  void SetUp() override {
    register_builtin_engines(registry_);
    register_builtin_resolvers(registry_);
    std::filesystem::copy_file(std::string(RINGWRIGHT_ODD_PLUGINS) + "/ringwright_odd.so", file_);
  }
  void set(const std::string& key, const std::string& value) {
    ASSERT_EQ(settings_.set(key, value), ok_status());
  }
  bool is_loaded() const { return !registry_.plugins().empty(); }

  TemporaryFolder folder_;
  const std::string file_ = folder_.path() + "/ringwright_renamed.so";
  Settings settings_;
  Registry registry_;
};

TEST_F(PluginSettings, nothing_is_loaded_that_nobody_asked_for) {
  set("plugins.path", "/nowhere:" + folder_.path());
  ASSERT_EQ(settings_.check(registry_), ok_status());
  EXPECT_FALSE(is_loaded());
  const auto folders = plugin_folders(registry_);
  ASSERT_GE(folders.size(), 2u);
  EXPECT_EQ(folders[0], "/nowhere");
  EXPECT_EQ(folders[1], folder_.path());
}

TEST_F(PluginSettings, a_plugin_that_is_named_is_loaded_from_the_path) {
  set("plugins.path", folder_.path());
  set("plugins.load", " renamed,");
  ASSERT_EQ(settings_.check(registry_), ok_status());
  ASSERT_EQ(settings_.check(registry_), ok_status()) << "once more";
  ASSERT_TRUE(is_loaded());
  EXPECT_EQ(registry_.plugins()[0].path, std::filesystem::canonical(file_));
}

TEST_F(PluginSettings, a_plugin_may_be_named_by_its_file) {
  set("plugins.load", file_);
  ASSERT_EQ(settings_.check(registry_), ok_status());
  EXPECT_TRUE(is_loaded());
}

TEST_F(PluginSettings, folders_do_not_depend_on_where_the_process_stands_later) {
  set("plugins.path", "some/plugins");
  ASSERT_EQ(settings_.check(registry_), ok_status());
  EXPECT_EQ(plugin_folders(registry_)[0],
            std::filesystem::current_path().string() + "/some/plugins");
}

TEST_F(PluginSettings, one_that_is_absent_or_refused_is_an_error_that_names_the_setting) {
  set("plugins.path", folder_.path());
  set("plugins.load", "renamed,absent");
  const Status absent = settings_.check(registry_);
  EXPECT_EQ(absent.code(), Code::invalid);
  EXPECT_TRUE(absent.message().starts_with("plugins.load: there is no ringwright_absent.so in " +
                                           folder_.path() + ", "))
      << absent.message();
  set("plugins.load", folder_.path() + "/absent.so");
  const Status refused = settings_.check(registry_);
  EXPECT_TRUE(refused.message().starts_with("plugins.load: plugin " + folder_.path() +
                                            "/absent.so is refused: "))
      << refused.message();
}

}  // namespace
}  // namespace ringwright
