#include "engine/registry.h"

#include <algorithm>

#include "engine/base/nearest.h"
#include "engine/builtin_engines.h"
#include "engine/plugin_loader.h"

namespace ringwright {

std::vector<Registry::Part> Registry::parts() const {
  const std::lock_guard lock(mutex_);
  std::vector<Part> listed;
  listed.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) listed.push_back({key.first, key.second, entry.origin});
  return listed;
}

Status Registry::absorb(const Registry& other, const std::string& origin) {
  const std::scoped_lock lock(mutex_, other.mutex_);
  for (const auto& [key, entry] : other.entries_) {
    const auto taken = entries_.find(key);
    if (taken == entries_.end() || taken->second.origin == origin) continue;
    return {Code::invalid, origin + " brings the " + key.first + " '" + key.second +
                               "', a name that is taken already (" + taken->second.origin + ")"};
  }
  for (const auto& [key, entry] : other.entries_)
    entries_.insert_or_assign(key, Entry{entry.factory, origin});
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
  void* const made = factory();
  if (made == nullptr)
    return Status{Code::invalid,
                  "the factory of " + std::string(kind) + " '" + std::string(name) + "' made none"};
  return made;
}

Status Registry::unknown(std::string_view kind, std::string_view name) const {
  const std::vector<Part> listed = parts();
  std::vector<std::string> known;
  for (const Part& part : listed)
    if (part.kind == kind) known.push_back(part.name);
  // What an unloaded plugin holds is unknown, so each counts; a loaded one has told its parts.
  for (const std::string& plugin : plugin_names()) {
    const std::string file = "/ringwright_" + plugin + ".so";
    const bool loaded = std::any_of(listed.begin(), listed.end(),
                                    [&](const Part& part) { return part.origin.ends_with(file); });
    if (!loaded) known.push_back(plugin);
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
