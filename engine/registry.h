#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/status.h"

namespace ringwright {

// What a plugin says of itself, and where it was found.
struct PluginFacts {
  std::string path = {};
  std::string name = {};
  std::string version = {};
  std::string library = {};  // the third party's behind it, with its version; may be empty
  std::string licence = {};
  std::string compiler = {};
  std::vector<std::string> remarks = {};  // what every comparison of its parts must print
};

// Names to factories, for every kind of part. An interface declares its kind (`T::kind`), so that
// this file knows none of them. One registry per process; built-ins and plugins register alike.
// Safe to call from several threads. A name added again replaces the earlier part.
class Registry {
 public:
  // Makes an object of the kind's interface; the caller owns it.
  using Factory = std::function<void*()>;

  template <typename Interface>
  void add(std::string name, std::function<std::unique_ptr<Interface>()> factory,
           std::string origin = "built-in") {
    add_erased(
        Interface::kind, std::move(name),
        [make = std::move(factory)]() -> void* { return make().release(); }, std::move(origin));
  }

  // An unknown name first looks for the plugin `ringwright_<name>.so` in the plugin folders; the
  // error lists the known names and points at the nearest one. `invalid` also when a plugin's
  // factory throws.
  template <typename Interface>
  Result<std::shared_ptr<Interface>> create(std::string_view name) {
    auto made = create_unique<Interface>(name);
    if (!made) return made.error();
    return std::shared_ptr<Interface>(std::move(*made));
  }

  template <typename Interface>
  Result<std::unique_ptr<Interface>> create_unique(std::string_view name) {
    const auto made = create_erased(Interface::kind, name);
    if (!made) return made.error();
    return std::unique_ptr<Interface>(static_cast<Interface*>(*made));
  }

  // Takes over all parts of `other` as parts of the plugin, or none: `invalid` when one of the
  // names is taken by a part from elsewhere.
  Status absorb(const Registry& other, PluginFacts plugin);

  struct Part {
    std::string kind;
    std::string name;
    std::string origin;  // "built-in" or the plugin's path
  };
  std::vector<Part> parts() const;
  // Those that are loaded, in the order of their names.
  std::vector<PluginFacts> plugins() const;
  // Of the plugin that brought the part; none of a built-in or unknown part.
  std::vector<std::string> remarks(std::string_view kind, std::string_view name) const;

  // Folders in which plugins are looked for before all others, in this order, behind those that
  // were added before. They stay for as long as the registry, as plugins do.
  void add_plugin_folders(const std::vector<std::string>& folders);
  std::vector<std::string> added_plugin_folders() const;

 private:
  struct Entry {
    Factory factory;
    std::string origin;
  };

  void add_erased(std::string_view kind, std::string name, Factory factory, std::string origin);
  Result<void*> create_erased(std::string_view kind, std::string_view name);
  Factory find(std::string_view kind, std::string_view name) const;
  Status unknown(std::string_view kind, std::string_view name) const;

  mutable std::mutex mutex_;  // guards what follows; never held while a factory or a plugin runs
  std::map<std::pair<std::string, std::string>, Entry> entries_;
  std::map<std::string, PluginFacts> plugins_;  // by path
  std::vector<std::string> folders_;
};

// The one of this process, with the built-in engines in it.
Registry& registry();

}  // namespace ringwright
