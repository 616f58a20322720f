#include "engine/bundled_plugins.h"

#include <algorithm>

#include "engine/plugin_loader.h"

namespace ringwright {

std::string why_absent(const Registry& registry, const BundledPlugin& plugin) {
  const auto present = plugin_names(registry);
  if (std::find(present.begin(), present.end(), plugin.name) != present.end()) return {};
  const std::string part = "the " + plugin.kind + " '" + plugin.name + "' ";
  if (!plugin.not_built.empty()) return part + "was not built: " + plugin.not_built;
  std::string folders;
  for (const std::string& folder : plugin_folders(registry))
    folders += (folders.empty() ? "" : ", ") + folder;
  return part + "is not there: ringwright_" + plugin.name + ".so was not found in " + folders;
}

std::string why_absent(const Registry& registry, std::string_view kind, std::string_view name) {
  for (const BundledPlugin& plugin : bundled_plugins())
    if (plugin.kind == kind && plugin.name == name) return why_absent(registry, plugin);
  return {};
}

}  // namespace ringwright
