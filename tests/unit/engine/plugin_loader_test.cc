#include "engine/plugin_loader.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "engine/builtin_engines.h"
#include "engine/plugin_api.h"
#include "engine/plugin_file.h"
#include "engine/storage_engine.h"
#include "tests/support/temporary_disk.h"

namespace ringwright {
namespace {

// The files that tests/support/plugins/odd_plugin.cc is built into.
std::string odd_plugin(const std::string& oddity) {
  return std::string(RINGWRIGHT_ODD_PLUGINS) + "/ringwright_" + oddity + ".so";
}

class PluginLoader : public testing::Test {
 protected:
  void SetUp() override {
    register_builtin_engines(registry_);
    ::unsetenv("RINGWRIGHT_TEST_TRIPWIRE");
  }
  static bool ran() { return std::getenv("RINGWRIGHT_TEST_TRIPWIRE") != nullptr; }

  // The whole message: one sentence that names the file and says why and what to do.
  std::string refusal(const std::string& path) {
    const auto before = registry_.parts().size();
    const Status refused = load_plugin(registry_, path);
    EXPECT_EQ(refused.code(), Code::invalid) << path;
    EXPECT_EQ(registry_.parts().size(), before) << "all parts or none";
    EXPECT_TRUE(registry_.plugins().empty());
    EXPECT_EQ(refused.message().find('\n'), std::string::npos);
    const std::string head = "plugin " + path + " is refused: ";
    EXPECT_TRUE(refused.message().starts_with(head)) << refused.message();
    return refused.message().substr(std::min(head.size(), refused.message().size()));
  }
  void expect_refused(const std::string& oddity, const std::string& why,
                      const std::string& advice) {
    SCOPED_TRACE(oddity);
    const std::string told = refusal(odd_plugin(oddity));
    EXPECT_NE(told.find(why), std::string::npos) << told;
    EXPECT_NE(told.find(advice), std::string::npos) << told;
  }

  TemporaryFolder folder_;
  Registry registry_;
};

TEST_F(PluginLoader, tells_what_a_plugin_says_of_itself) {
  const std::string path = odd_plugin("odd");
  ASSERT_EQ(load_plugin(registry_, path), ok_status());
  EXPECT_TRUE(ran()) << "the tripwire that the others rely on";
  ASSERT_EQ(load_plugin(registry_, path), ok_status()) << "once more";
  const auto plugins = registry_.plugins();
  ASSERT_EQ(plugins.size(), 1u);
  EXPECT_EQ(plugins[0].path, std::filesystem::canonical(path));
  EXPECT_EQ(plugins[0].name, "odd");
  EXPECT_EQ(plugins[0].version, "1.2.3");
  EXPECT_EQ(plugins[0].library, "liboddities 4.5");
  EXPECT_EQ(plugins[0].licence, "MIT");
  EXPECT_FALSE(plugins[0].compiler.empty());
  EXPECT_EQ(plugins[0].remarks, std::vector<std::string>{"it is odd"});
  EXPECT_EQ(registry_.remarks("engine", "odd"), plugins[0].remarks);
  EXPECT_TRUE(registry_.remarks("engine", "memory").empty());
  EXPECT_TRUE(registry_.remarks("engine", "absent").empty());
}

TEST_F(PluginLoader, a_factory_that_throws_is_an_error) {
  ASSERT_EQ(load_plugin(registry_, odd_plugin("odd")), ok_status());
  const Status made = registry_.create<StorageEngine>("odd").status();
  EXPECT_EQ(made.code(), Code::invalid);
  EXPECT_NE(made.message().find("'odd' threw: the factory is on strike"), std::string::npos)
      << made.message();
}

// This program has the core among its own libraries, where a plugin's names are looked up first.
TEST_F(PluginLoader, a_plugin_runs_its_own_code_whatever_its_name) {
  ASSERT_EQ(load_plugin(registry_, odd_plugin("same_names")), ok_status());
  EXPECT_EQ(registry_.plugins().at(0).remarks, std::vector<std::string>{"the plugin's own"});
}

TEST_F(PluginLoader, refuses_what_does_not_fit_before_anything_of_it_runs) {
  expect_refused("magic", "does not begin as Ringwright's", "rebuild it");
  expect_refused("interface", "built for plugin interface 1 and Ringwright", "rebuild it against");
  expect_refused("abi", "built for 'Libstdc++ ", "' (");
  expect_refused("abi", "and this program for 'libstdc++ ", "rebuild it with the settings");
  expect_refused("size", "bytes and not ", "rebuild it against");
  expect_refused("no_manifest", "no manifest", "RINGWRIGHT_PLUGIN");
  EXPECT_FALSE(ran());
}

TEST_F(PluginLoader, refuses_what_misbehaves) {
  expect_refused("no_function", "has no add_parts", "name the function");
  expect_refused("no_parts", "adds no part", "registry.add");
  expect_refused("throws", "threw while it added its parts: no licence key", "");
  expect_refused("throws_no_exception", "threw while it added its parts", "");
  expect_refused("remarks_throw", "threw while it told its remarks: nothing to remark", "");
  expect_refused("name_taken", "brings the engine 'null', a name that a built-in part has",
                 "give it another name");
}

TEST_F(PluginLoader, refuses_files_that_are_no_libraries) {
  const auto write = [&](const std::string& name, const std::string& bytes) {
    std::ofstream(folder_.path() + "/" + name, std::ios::binary) << bytes;
    return folder_.path() + "/" + name;
  };
  EXPECT_NE(refusal(write("text.so", "not a library")).find("no shared library"),
            std::string::npos);
  EXPECT_NE(refusal(write("empty.so", "")).find("no shared library"), std::string::npos);
  EXPECT_NE(refusal(folder_.path()).find("no shared library"), std::string::npos);
  EXPECT_NE(refusal(folder_.path() + "/absent.so").find("No such file"), std::string::npos);
}

TEST_F(PluginLoader, refuses_files_that_are_cut_short) {
  std::ifstream file(odd_plugin("odd"), std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(file)), {});
  ASSERT_GT(whole.size(), 1000u);
  const std::string path = folder_.path() + "/ringwright_short.so";
  for (std::size_t size = 0; size < whole.size(); size += 1009) {
    std::ofstream(path, std::ios::binary) << whole.substr(0, size);
    const auto head = read_plugin_head(path);
    // The section table lies at the end of the file.
    EXPECT_FALSE(head.has_value()) << size << " of " << whole.size();
  }
  EXPECT_FALSE(ran());
}

TEST_F(PluginLoader, refuses_a_name_that_another_plugin_has) {
  ASSERT_EQ(load_plugin(registry_, odd_plugin("odd")), ok_status());
  const std::string copy = folder_.path() + "/ringwright_copy.so";
  std::filesystem::copy_file(odd_plugin("odd"), copy);
  const Status refused = load_plugin(registry_, copy);
  EXPECT_EQ(refused.code(), Code::invalid);
  EXPECT_NE(refused.message().find("copy.so is refused: it brings the engine 'odd', a name that "
                                   "the plugin "),
            std::string::npos)
      << refused.message();
  EXPECT_NE(refused.message().find("ringwright_odd.so has already"), std::string::npos)
      << refused.message();
}

TEST_F(PluginLoader, looks_in_the_folders_of_the_registry_first_and_in_their_order) {
  const std::string first = folder_.path() + "/first";
  const std::string second = folder_.path() + "/second";
  for (const std::string& folder : {first, second}) {
    std::filesystem::create_directory(folder);
    std::filesystem::copy_file(odd_plugin("odd"), folder + "/ringwright_odd.so");
  }
  registry_.add_plugin_folders(split_plugin_path("/nowhere::" + first + ":"));
  registry_.add_plugin_folders({second, first});
  const auto folders = plugin_folders(registry_);
  ASSERT_GE(folders.size(), 3u);
  EXPECT_EQ(folders[0], "/nowhere");
  EXPECT_EQ(folders[1], first);
  EXPECT_EQ(folders[2], second);
  EXPECT_EQ(plugin_names(registry_).size(), plugin_names(Registry()).size() + 1);
  const auto loaded = load_plugin_by_name(registry_, "odd");
  ASSERT_TRUE(loaded) << loaded.status().to_string();
  EXPECT_EQ(*loaded, first + "/ringwright_odd.so");
}

}  // namespace
}  // namespace ringwright
