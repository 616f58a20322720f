#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ringwright {

class Registry;

// A plugin of this source tree, whether this build has it or not. Listed by the build.
struct BundledPlugin {
  std::string kind;       // of its part: "engine", "transport"
  std::string name;       // of the part and of the plugin
  std::string not_built;  // why this build has it not; empty: it was built
};
std::vector<BundledPlugin> bundled_plugins();

// Why the part of the plugin is not there, as a sentence; empty when its file is in one of the
// plugin folders.
std::string why_absent(const Registry& registry, const BundledPlugin& plugin);
// The same by name; empty also when no bundled plugin has it.
std::string why_absent(const Registry& registry, std::string_view kind, std::string_view name);

}  // namespace ringwright
