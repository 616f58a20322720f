#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/registry.h"

namespace ringwright {

// Loads one plugin file and lets it register its parts, all or none; once per registry. `invalid`
// says in one sentence which file is refused, why, and what to do. Never unloaded, not even when
// refused. Safe to call from several threads. The plugin may use the registry that it is handed
// only until `add_parts` returns.
Status load_plugin(Registry& registry, const std::string& path);

// Looks for `ringwright_<name>.so` in the plugin folders. Answers ok and the path when it was
// loaded, ok and an empty path when there is no such file.
Result<std::string> load_plugin_by_name(Registry& registry, std::string_view name);

// Where plugins are looked for; the first file of a name counts:
// 1. the folders added to the registry (the setting `plugins.path`),
// 2. the environment's RINGWRIGHT_PLUGIN_PATH, ':' between its folders,
// 3. `plugins/` and `ringwright/plugins/` beside this library.
std::vector<std::string> plugin_folders(const Registry& registry);

// The names of the plugin files in those folders, sorted, none of them loaded for this.
std::vector<std::string> plugin_names(const Registry& registry);

// "dir1:dir2" as its folders; empty ones are left out.
std::vector<std::string> split_plugin_path(std::string_view path);

}  // namespace ringwright
