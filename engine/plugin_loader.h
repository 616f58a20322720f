#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/registry.h"

namespace ringwright {

// Loads one plugin file and lets it register its parts, all or none; once per registry. `invalid`
// says why a file is refused. Safe to call from several threads. The plugin may use the registry
// that it is handed only until `add_parts` returns.
Status load_plugin(Registry& registry, const std::string& path);

// Looks for `ringwright_<name>.so` in the folders of RINGWRIGHT_PLUGIN_PATH (':' between), then in
// `plugins/` beside this library. Answers ok and the path when it was loaded, ok and an empty path
// when there is no such file.
Result<std::string> load_plugin_by_name(Registry& registry, std::string_view name);

// The names of the plugin files in those folders, sorted, none of them loaded for this.
std::vector<std::string> plugin_names();

}  // namespace ringwright
