#include "replication/runtime/parts.h"

#include <pybind11/stl.h>

#include "bindings/convert.h"
#include "bindings/errors.h"
#include "engine/base/nearest.h"
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

std::uint8_t level_named(const std::string& text) { return unwrap(parse_level(text)).value; }

}  // namespace

void bind_registry(py::module_& module) {
  module.def("parts", &parts);
  module.def("plugin_names", [] { return plugin_names(registry_with_parts()); });
  module.def("load_plugin", &load_plugin_named, py::arg("name"));
  module.def("parse_level", &level_named, py::arg("text"));
  module.def(
      "nearest_name",
      [](const std::string& name, const std::vector<std::string>& known) {
        return nearest_name(name, known);
      },
      py::arg("name"), py::arg("known"));
}

}  // namespace ringwright::python
