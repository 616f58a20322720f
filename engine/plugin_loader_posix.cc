#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <mutex>
#include <system_error>

#include "engine/plugin_api.h"
#include "engine/plugin_loader.h"

namespace ringwright {
namespace {

constexpr std::string_view file_prefix = "ringwright_";
constexpr std::string_view file_suffix = ".so";

// One plugin at a time. Recursive, because a plugin may ask for a part that another one brings.
std::recursive_mutex& loader_mutex() {
  static std::recursive_mutex mutex;
  return mutex;
}

// The folder of the library (or program) that this code was linked into.
std::string own_folder() {
  Dl_info found{};
  if (::dladdr(reinterpret_cast<void*>(&own_folder), &found) == 0) return {};
  if (found.dli_fname == nullptr) return {};
  std::error_code error;
  return std::filesystem::canonical(found.dli_fname, error).parent_path().string();
}

std::vector<std::string> plugin_folders() {
  std::vector<std::string> folders;
  const char* const listed = std::getenv("RINGWRIGHT_PLUGIN_PATH");
  std::string_view rest = listed == nullptr ? "" : listed;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    if (end > 0) folders.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (const std::string own = own_folder(); !own.empty()) folders.push_back(own + "/plugins");
  return folders;
}

// A name that can stand in a file's name: nothing that could lead out of the folder.
bool is_plugin_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

Status refused(const std::string& path, const std::string& why) {
  return {Code::invalid, "plugin " + path + " is refused: " + why};
}

// Reads the plain data at the head of the manifest and calls nothing.
Status check_manifest(const std::string& path, const PluginManifest* manifest) {
  if (manifest == nullptr) return refused(path, "it has no manifest");
  if (manifest->magic != plugin_magic) return refused(path, "its manifest is not Ringwright's");
  if (manifest->interface_version != plugin_interface_version)
    return refused(path, "it was built for plugin interface " +
                             std::to_string(manifest->interface_version) + ", this is " +
                             std::to_string(plugin_interface_version));
  const std::string_view abi = manifest->abi == nullptr ? "" : manifest->abi;
  if (abi != plugin_abi)
    return refused(
        path, "it was built for the ABI '" + std::string(abi) + "', this is '" + plugin_abi + "'");
  if (manifest->add_parts == nullptr) return refused(path, "its manifest adds no parts");
  return ok_status();
}

// Foreign code: whatever it throws ends here.
Status collect_parts(const std::string& path, PluginEntry entry, Registry& collected) {
  try {
    const PluginManifest* const manifest = entry();
    RW_TRY(check_manifest(path, manifest));
    manifest->add_parts(collected);
    return ok_status();
  } catch (const std::exception& thrown) {
    return refused(path, std::string("it threw while it added its parts: ") + thrown.what());
  } catch (...) {
    return refused(path, "it threw while it added its parts");
  }
}

}  // namespace

Status load_plugin(Registry& registry, const std::string& path) {
  std::error_code error;
  const std::string real = std::filesystem::canonical(path, error).string();
  if (error) return refused(path, error.message());

  const std::lock_guard lock(loader_mutex());
  const auto parts = registry.parts();
  if (std::any_of(parts.begin(), parts.end(),
                  [&](const Registry::Part& part) { return part.origin == real; }))
    return ok_status();

  // Never closed, not even when refused: threads, objects and exit handlers may point into it.
  void* const library = ::dlopen(real.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* const why = ::dlerror();
    return refused(real, why == nullptr ? "it cannot be loaded" : why);
  }
  const auto entry = reinterpret_cast<PluginEntry>(::dlsym(library, "ringwright_plugin"));
  if (entry == nullptr) return refused(real, "it has no entry point ringwright_plugin");

  Registry collected;
  RW_TRY(collect_parts(real, entry, collected));
  return registry.absorb(collected, real);
}

Result<std::string> load_plugin_by_name(Registry& registry, std::string_view name) {
  if (!is_plugin_name(name)) return std::string();
  for (const std::string& folder : plugin_folders()) {
    std::string path = folder + "/" + std::string(file_prefix) + std::string(name);
    path += file_suffix;
    std::error_code error;
    if (!std::filesystem::exists(path, error)) continue;
    RW_TRY(load_plugin(registry, path));
    return path;
  }
  return std::string();
}

std::vector<std::string> plugin_names() {
  std::vector<std::string> names;
  for (const std::string& folder : plugin_folders()) {
    std::error_code error;
    std::filesystem::directory_iterator file(folder, error);
    for (; !error && file != std::filesystem::directory_iterator(); file.increment(error)) {
      const std::string file_name = file->path().filename().string();
      std::string_view name = file_name;
      if (!name.starts_with(file_prefix) || !name.ends_with(file_suffix)) continue;
      if (name.size() <= file_prefix.size() + file_suffix.size()) continue;
      name.remove_prefix(file_prefix.size());
      name.remove_suffix(file_suffix.size());
      if (is_plugin_name(name)) names.emplace_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace ringwright
