#include "replication/config/settings.h"

#include <pybind11/stl.h>

#include "bindings/convert.h"
#include "bindings/errors.h"
#include "replication/daemon/node_service.h"
#include "replication/runtime/parts.h"

namespace ringwright::python {

void bind_settings(py::module_& module) {
  py::class_<Settings>(module, "Settings")
      .def(py::init<>())
      .def(
          "add_toml",
          [](Settings& self, const std::string& text, const std::string& source) {
            check(self.add_toml(text, source));
          },
          py::arg("text"), py::arg("source"))
      .def(
          "add_values",
          [](Settings& self, const Settings::Values& values) { check(self.add_values(values)); },
          py::arg("values"))
      .def(
          "add_environment",
          [](Settings& self, const Settings::Values& variables) {
            check(self.add_environment(variables));
          },
          py::arg("variables"))
      .def(
          "set",
          [](Settings& self, const std::string& key, const std::string& value) {
            check(self.set(key, value));
          },
          py::arg("key"), py::arg("value"))
      .def(
          "assign",
          [](Settings& self, const std::string& assignment) { check(self.set(assignment)); },
          py::arg("assignment"))
      .def("keyspaces",
           [](const Settings& self) {
             py::list all;
             for (const auto& keyspace : unwrap(self.keyspaces(registry_with_parts(), {})))
               all.append(python_keyspace(*keyspace));
             return all;
           })
      .def("check", [](const Settings& self) { check(self.check(registry_with_parts())); })
      .def("for_node", &Settings::for_node)
      .def("check_node", [](const Settings& self) { check(check_node_settings(self.for_node())); })
      .def(
          "duration",
          [](const Settings& self, const std::string& key) {
            return seconds_of(self.duration(key));
          },
          py::arg("key"))
      .def("entries", [](const Settings& self) {
        py::list entries;
        for (const auto& entry : self.entries())
          entries.append(py::make_tuple(entry.key, entry.value, setting_origin_name(entry.origin),
                                        entry.description));
        return entries;
      });
}

}  // namespace ringwright::python
