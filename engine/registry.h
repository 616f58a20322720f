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
  // error lists the known names and points at the nearest one.
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

  // Takes over all parts of `other` as parts from `origin`, or none: `invalid` when one of the
  // names is taken by a part from elsewhere.
  Status absorb(const Registry& other, const std::string& origin);

  struct Part {
    std::string kind;
    std::string name;
    std::string origin;  // "built-in" or the plugin's path
  };
  std::vector<Part> parts() const;

 private:
  struct Entry {
    Factory factory;
    std::string origin;
  };

  void add_erased(std::string_view kind, std::string name, Factory factory, std::string origin);
  Result<void*> create_erased(std::string_view kind, std::string_view name);
  Factory find(std::string_view kind, std::string_view name) const;
  Status unknown(std::string_view kind, std::string_view name) const;

  mutable std::mutex mutex_;  // guards entries_; never held while a factory or a plugin runs
  std::map<std::pair<std::string, std::string>, Entry> entries_;
};

// The one of this process, with the built-in engines in it.
Registry& registry();

}  // namespace ringwright
