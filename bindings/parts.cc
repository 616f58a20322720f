#include "replication/runtime/parts.h"

#include <pybind11/stl.h>

#include "bindings/convert.h"
#include "bindings/errors.h"
#include "engine/base/disk.h"
#include "engine/base/nearest.h"
#include "engine/bundled_plugins.h"
#include "engine/engine_probe.h"
#include "engine/plugin_loader.h"

namespace ringwright::python {
namespace {

py::list parts() {
  py::list parts;
  for (const auto& part : registry_with_parts().parts())
    parts.append(py::make_tuple(part.kind, part.name, part.origin));
  return parts;
}

void load_plugin_named(const std::string& name) {
  const auto path = unlocked([&] { return load_plugin_by_name(registry_with_parts(), name); });
  if (!path) raise(path.error());
}

void load_plugin_at(const std::string& path) {
  check(unlocked([&] { return load_plugin(registry_with_parts(), path); }));
}

py::list plugins() {
  py::list plugins;
  for (const PluginFacts& plugin : registry_with_parts().plugins()) {
    py::dict facts;
    facts["name"] = plugin.name;
    facts["path"] = plugin.path;
    facts["version"] = plugin.version;
    facts["library"] = plugin.library;
    facts["licence"] = plugin.licence;
    facts["compiler"] = plugin.compiler;
    facts["remarks"] = plugin.remarks;
    plugins.append(facts);
  }
  return plugins;
}

py::list absent_plugins() {
  py::list absent;
  for (const BundledPlugin& plugin : bundled_plugins()) {
    const std::string why = why_absent(registry_with_parts(), plugin);
    if (!why.empty()) absent.append(py::make_tuple(plugin.kind, plugin.name, why));
  }
  return absent;
}

py::dict probe(const std::string& engine, const std::string& directory) {
  const EngineProbe probed = unwrap(unlocked(
      [&] { return probe_engine(registry_with_parts(), engine, make_posix_disk(directory)); }));
  py::list durabilities;
  for (const Durability durability : probed.durabilities)
    durabilities.append(durability_name(durability));
  py::dict facts;
  facts["durabilities"] = durabilities;
  facts["merge"] = probed.merge;
  facts["non_blocking"] = probed.non_blocking;
  return facts;
}

std::uint8_t level_named(const std::string& text) { return unwrap(parse_level(text)).value; }

}  // namespace

void bind_registry(py::module_& module) {
  module.def("parts", &parts);
  module.def("plugin_names", [] { return plugin_names(registry_with_parts()); });
  module.def("load_plugin", &load_plugin_named, py::arg("name"));
  module.def("load_plugin_at", &load_plugin_at, py::arg("path"));
  module.def("plugin_folders", [] { return plugin_folders(registry_with_parts()); });
  module.def("plugins", &plugins);
  module.def("absent_plugins", &absent_plugins);
  module.def("probe_engine", &probe, py::arg("engine"), py::arg("directory"));
  module.def("parse_level", &level_named, py::arg("text"));
  module.def(
      "nearest_name",
      [](const std::string& name, const std::vector<std::string>& known) {
        return nearest_name(name, known);
      },
      py::arg("name"), py::arg("known"));
}

}  // namespace ringwright::python
