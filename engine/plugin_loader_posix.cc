#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <functional>
#include <mutex>
#include <system_error>
#include <utility>

#include "engine/base/library_version.h"
#include "engine/plugin_api.h"
#include "engine/plugin_file.h"
#include "engine/plugin_loader.h"

extern "C" {
// Where it lies tells one copy of this library from another in the same process.
__attribute__((visibility("default"))) extern const char ringwright_core_mark;
const char ringwright_core_mark = 0;
}

namespace ringwright {
namespace {

constexpr std::string_view file_prefix = "ringwright_";
constexpr std::string_view file_suffix = ".so";

// One plugin at a time. Recursive, because a plugin may ask for a part that another one brings.
std::recursive_mutex& loader_mutex() {
  static std::recursive_mutex mutex;
  return mutex;
}

// The library (or program) that holds this address; empty when nobody knows.
std::filesystem::path library_of(const void* address) {
  Dl_info found{};
  if (::dladdr(address, &found) == 0 || found.dli_fname == nullptr) return {};
  std::error_code error;
  return std::filesystem::canonical(found.dli_fname, error);
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

// Compares plain data that was read from the file; nothing of the plugin has run yet.
Status check_head(const PluginHead& head) {
  const std::string own = "Ringwright " + std::string(library_version());
  if (head.magic != plugin_magic)
    return {Code::invalid,
            "its manifest does not begin as Ringwright's do; rebuild it with " + own};
  if (head.interface_version != plugin_interface_version)
    return {Code::invalid, "it was built for plugin interface " +
                               std::to_string(head.interface_version) + " and " + own + " has " +
                               std::to_string(plugin_interface_version) +
                               "; rebuild it against the headers of " + own};
  const PluginHead ours;
  if (std::string_view(head.abi) != ours.abi)
    return {Code::invalid, "it was built for '" + std::string(head.abi) + "' (" + head.compiler +
                               ") and this program for '" + ours.abi + "' (" + ours.compiler +
                               "); rebuild it with the settings of this program"};
  if (head.manifest_bytes != sizeof(PluginManifest))
    return {Code::invalid, "its manifest has " + std::to_string(head.manifest_bytes) +
                               " bytes and not " + std::to_string(sizeof(PluginManifest)) +
                               "; rebuild it against the headers of " + own};
  return ok_status();
}

template <std::size_t size>
std::string text_of(const char (&text)[size]) {
  return std::string(text, ::strnlen(text, size));
}

// Foreign code: whatever it throws ends here.
Status call_plugin(const std::string& during, const std::function<void()>& call) {
  const std::string what = "it threw while it " + during;
  try {
    call();
    return ok_status();
  } catch (const std::exception& thrown) {
    return {Code::invalid, what + ": " + thrown.what()};
  } catch (...) {
    return {Code::invalid, what + " (nothing that says why)"};
  }
}

// `real` has no links in it. What goes wrong is told as the end of a sentence about the file.
Status open_plugin(Registry& registry, const std::string& real) {
  const auto head = read_plugin_head(real);
  if (!head) return head.error();
  RW_TRY(check_head(*head));
  // Never closed, not even when refused: threads, objects and exit handlers may point into it.
  void* const library = ::dlopen(real.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* const why = ::dlerror();
    return {Code::invalid,
            std::string("it cannot be opened: ") + (why == nullptr ? "nobody says why" : why)};
  }
  // Its objects would know another registry, and other types of the same name.
  const void* const mark = ::dlsym(library, "ringwright_core_mark");
  if (mark != nullptr && mark != &ringwright_core_mark)
    return {Code::invalid, "it is linked with another copy of Ringwright, " +
                               library_of(mark).string() + ", and this program has " +
                               library_of(&ringwright_core_mark).string() +
                               "; rebuild it against the one of this program"};
  const auto* const manifest = static_cast<const PluginManifest*>(::dlsym(library, plugin_symbol));
  if (manifest == nullptr)
    return {Code::invalid, std::string("it does not export ") + plugin_symbol +
                               "; build it with ringwright_add_plugin()"};
  if (manifest->add_parts == nullptr)
    return {Code::invalid, "its manifest has no add_parts; name the function that adds its parts"};

  Registry collected;
  RW_TRY(call_plugin("added its parts", [&] { manifest->add_parts(collected); }));
  if (collected.parts().empty())
    return {Code::invalid, "it adds no part; its add_parts must call registry.add<...>()"};
  PluginFacts facts{real,
                    text_of(manifest->name),
                    text_of(manifest->version),
                    text_of(manifest->library),
                    text_of(manifest->licence),
                    text_of(manifest->head.compiler),
                    {}};
  if (manifest->remarks != nullptr)
    RW_TRY(call_plugin("told its remarks", [&] { facts.remarks = manifest->remarks(); }));
  return registry.absorb(collected, std::move(facts));
}

}  // namespace

Status load_plugin(Registry& registry, const std::string& path) {
  std::error_code error;
  const std::string real = std::filesystem::canonical(path, error).string();
  if (error) return refused(path, error.message());

  const std::lock_guard lock(loader_mutex());
  const auto loaded = registry.plugins();
  if (std::any_of(loaded.begin(), loaded.end(),
                  [&](const PluginFacts& plugin) { return plugin.path == real; }))
    return ok_status();
  const Status opened = open_plugin(registry, real);
  return opened.is_ok() ? opened : refused(real, opened.message());
}

Result<std::string> load_plugin_by_name(Registry& registry, std::string_view name) {
  if (!is_plugin_name(name)) return std::string();
  for (const std::string& folder : plugin_folders(registry)) {
    std::string path = folder + "/" + std::string(file_prefix) + std::string(name);
    path += file_suffix;
    std::error_code error;
    if (!std::filesystem::exists(path, error)) continue;
    RW_TRY(load_plugin(registry, path));
    return path;
  }
  return std::string();
}

std::vector<std::string> split_plugin_path(std::string_view path) {
  std::vector<std::string> folders;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find(':'), path.size());
    if (end > 0) folders.emplace_back(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return folders;
}

std::vector<std::string> plugin_folders(const Registry& registry) {
  std::vector<std::string> folders = registry.added_plugin_folders();
  const char* const listed = std::getenv("RINGWRIGHT_PLUGIN_PATH");
  for (std::string& folder : split_plugin_path(listed == nullptr ? "" : listed))
    folders.push_back(std::move(folder));
  if (const std::string own = library_of(&ringwright_core_mark).parent_path(); !own.empty()) {
    folders.push_back(own + "/plugins");
    folders.push_back(own + "/ringwright/plugins");
  }
  return folders;
}

std::vector<std::string> plugin_names(const Registry& registry) {
  std::vector<std::string> names;
  for (const std::string& folder : plugin_folders(registry)) {
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
