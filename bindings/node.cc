#include <pybind11/stl.h>
#include <unistd.h>

#include "bindings/client.h"
#include "bindings/convert.h"
#include "bindings/errors.h"
#include "replication/daemon/line_log.h"
#include "replication/daemon/node_metrics.h"
#include "replication/daemon/node_service.h"

namespace ringwright::python {
namespace {

using PythonNode = Owned<std::unique_ptr<NodeService>>;

// `log`: events go to the standard error, as [log] says.
std::unique_ptr<PythonNode> open_node(const Settings& settings, bool log) {
  const Settings own = settings.for_node();
  std::shared_ptr<EventLog> events;
  if (log) events = make_line_log(STDERR_FILENO, own.text("log.format"), own.text("log.level"));
  return std::make_unique<PythonNode>(
      unwrap(unlocked([&] { return NodeService::open(own, std::move(events)); })));
}

py::dict addresses(const PythonNode& self) {
  const NodeService::Addresses known = self->addresses();
  py::dict result;
  result["client"] = known.client;
  result["peer"] = known.peer;
  result["admin"] = known.admin;
  return result;
}

}  // namespace

void bind_node(py::module_& module) {
  py::class_<PythonNode>(module, "Node")
      .def_static("open", &open_node, py::arg("settings"), py::arg("log"))
      .def("addresses", &addresses)
      .def("name", [](const PythonNode& self) { return self->name(); })
      .def("id", [](const PythonNode& self) { return to_string(self->id()); })
      .def("state", [](const PythonNode& self) { return service_state_name(self->state()); })
      .def("status",
           [](const PythonNode& self) {
             return python_status(unlocked([&] { return self->status(); }));
           })
      .def("metrics",
           [](const PythonNode& self) {
             return unlocked([&] { return node_metrics(self->status()); });
           })
      .def("drain", [](const PythonNode& self) { check(unlocked([&] { return self->drain(); })); })
      .def("stop", [](const PythonNode& self) { check(unlocked([&] { return self->stop(); })); });
}

}  // namespace ringwright::python
