#include <filesystem>
#include <system_error>

#include "engine/plugin_loader.h"
#include "replication/config/settings.h"

namespace ringwright {
namespace {

std::string absolute(const std::string& path) {
  std::error_code error;
  const auto made = std::filesystem::absolute(path, error);
  return error ? path : made.string();
}

Status load(Registry& registry, const std::string& plugin) {
  if (plugin.find('/') != plugin.npos) return load_plugin(registry, plugin);
  const auto path = load_plugin_by_name(registry, plugin);
  if (!path) return path.error();
  if (!path->empty()) return ok_status();
  std::string folders;
  for (const std::string& folder : plugin_folders(registry))
    folders += (folders.empty() ? "" : ", ") + folder;
  return {Code::invalid, "there is no ringwright_" + plugin + ".so in " + folders +
                             "; name a plugin's file without ringwright_ and .so, or write a path"};
}

}  // namespace

Status Settings::load_plugins(Registry& registry) const {
  std::vector<std::string> folders;
  for (const std::string& folder : split_plugin_path(text("plugins.path")))
    folders.push_back(absolute(folder));
  registry.add_plugin_folders(folders);

  std::string rest = text("plugins.load");
  std::erase(rest, ' ');
  while (!rest.empty()) {
    const auto comma = rest.find(',');
    const std::string plugin = rest.substr(0, comma);
    rest = comma == rest.npos ? "" : rest.substr(comma + 1);
    if (plugin.empty()) continue;
    const Status loaded = load(registry, plugin);
    if (!loaded.is_ok()) return {loaded.code(), "plugins.load: " + loaded.message()};
  }
  return ok_status();
}

}  // namespace ringwright
