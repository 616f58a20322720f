#include "engine/registry.h"

#include <algorithm>
#include <exception>

#include "engine/base/nearest.h"
#include "engine/builtin_engines.h"
#include "engine/bundled_plugins.h"
#include "engine/plugin_loader.h"

namespace ringwright {

std::vector<Registry::Part> Registry::parts() const {
  const std::lock_guard lock(mutex_);
  std::vector<Part> listed;
  listed.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) listed.push_back({key.first, key.second, entry.origin});
  return listed;
}

std::vector<PluginFacts> Registry::plugins() const {
  std::vector<PluginFacts> listed;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [path, plugin] : plugins_) listed.push_back(plugin);
  }
  std::stable_sort(
      listed.begin(), listed.end(),
      [](const PluginFacts& left, const PluginFacts& right) { return left.name < right.name; });
  return listed;
}

std::vector<std::string> Registry::remarks(std::string_view kind, std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto part = entries_.find({std::string(kind), std::string(name)});
  if (part == entries_.end()) return {};
  const auto plugin = plugins_.find(part->second.origin);
  return plugin == plugins_.end() ? std::vector<std::string>{} : plugin->second.remarks;
}

void Registry::add_plugin_folders(const std::vector<std::string>& folders) {
  const std::lock_guard lock(mutex_);
  for (const std::string& folder : folders)
    if (std::find(folders_.begin(), folders_.end(), folder) == folders_.end())
      folders_.push_back(folder);
}

std::vector<std::string> Registry::added_plugin_folders() const {
  const std::lock_guard lock(mutex_);
  return folders_;
}

Status Registry::absorb(const Registry& other, PluginFacts plugin) {
  const std::scoped_lock lock(mutex_, other.mutex_);
  for (const auto& [key, entry] : other.entries_) {
    const auto taken = entries_.find(key);
    if (taken == entries_.end() || taken->second.origin == plugin.path) continue;
    const bool by_plugin = plugins_.contains(taken->second.origin);
    return {Code::invalid,
            "it brings the " + key.first + " '" + key.second + "', a name that " +
                (by_plugin ? "the plugin " + taken->second.origin : "a built-in part") +
                " has already; give it another name" +
                (by_plugin ? ", or load one of the two" : "")};
  }
  for (const auto& [key, entry] : other.entries_)
    entries_.insert_or_assign(key, Entry{entry.factory, plugin.path});
  plugins_.insert_or_assign(plugin.path, std::move(plugin));
  return ok_status();
}

void Registry::add_erased(std::string_view kind, std::string name, Factory factory,
                          std::string origin) {
  const std::lock_guard lock(mutex_);
  entries_.insert_or_assign({std::string(kind), std::move(name)},
                            Entry{std::move(factory), std::move(origin)});
}

Registry::Factory Registry::find(std::string_view kind, std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find({std::string(kind), std::string(name)});
  return at == entries_.end() ? Factory{} : at->second.factory;
}

Result<void*> Registry::create_erased(std::string_view kind, std::string_view name) {
  Factory factory = find(kind, name);
  if (!factory) {
    const auto loaded = load_plugin_by_name(*this, name);
    if (!loaded) return loaded.error();
    factory = find(kind, name);
  }
  if (!factory) return unknown(kind, name);
  const std::string what = "the factory of " + std::string(kind) + " '" + std::string(name) + "' ";
  // It may be foreign code: whatever it throws ends here.
  try {
    void* const made = factory();
    if (made == nullptr) return Status{Code::invalid, what + "made none"};
    return made;
  } catch (const std::exception& thrown) {
    return Status{Code::invalid, what + "threw: " + thrown.what()};
  } catch (...) {
    return Status{Code::invalid, what + "threw"};
  }
}

Status Registry::unknown(std::string_view kind, std::string_view name) const {
  if (const std::string absent = why_absent(*this, kind, name); !absent.empty())
    return {Code::invalid, absent};
  const std::vector<Part> listed = parts();
  std::vector<std::string> known;
  for (const Part& part : listed)
    if (part.kind == kind) known.push_back(part.name);
  // What an unloaded plugin holds is unknown, so each counts; a loaded one has told its parts.
  const std::vector<PluginFacts> loaded = plugins();
  for (const std::string& plugin : plugin_names(*this)) {
    const std::string file = "/ringwright_" + plugin + ".so";
    if (std::none_of(loaded.begin(), loaded.end(),
                     [&](const PluginFacts& facts) { return facts.path.ends_with(file); }))
      known.push_back(plugin);
  }
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());

  std::string text = "no " + std::string(kind) + " named '" + std::string(name) + "'";
  if (known.empty()) return {Code::invalid, text + "; none is known"};
  text += "; did you mean '" + nearest_name(name, known) + "'? known: ";
  for (std::size_t i = 0; i < known.size(); ++i) text += (i == 0 ? "" : ", ") + known[i];
  return {Code::invalid, text};
}

Registry& registry() {
  // Never destroyed: threads and plugins may still ask while the process ends.
  static Registry* const parts_of_this_process = [] {
    auto* const made = new Registry;
    register_builtin_engines(*made);
    return made;
  }();
  return *parts_of_this_process;
}

}  // namespace ringwright
