#include "replication/runtime/cluster.h"

#include <pybind11/stl.h>

#include "bindings/client.h"
#include "bindings/convert.h"
#include "bindings/errors.h"
#include "replication/daemon/node_metrics.h"

namespace ringwright::python {
namespace {

using PythonCluster = Owned<std::unique_ptr<Cluster>>;

std::unique_ptr<PythonCluster> local(const Settings& settings) {
  return std::make_unique<PythonCluster>(
      unwrap(unlocked([&] { return Cluster::local(settings); })));
}

ClientOptions client_options(const PythonCluster& self, const ClientChoice& choice) {
  return with_choice(self->client_options(), choice);
}

std::unique_ptr<PythonClient> make_client(const PythonCluster& self, const ClientChoice& choice) {
  const ClientOptions options = client_options(self, choice);
  return std::make_unique<PythonClient>(unwrap(unlocked([&] { return self->client(options); })),
                                        self->map());
}

std::unique_ptr<PythonAsyncClient> make_async_client(const PythonCluster& self,
                                                     const ClientChoice& choice) {
  const ClientOptions options = client_options(self, choice);
  return std::make_unique<PythonAsyncClient>(
      unwrap(unlocked([&] { return self->async_client(options); })), self->map());
}

py::list statuses(const PythonCluster& self) {
  py::list all;
  for (const NodeStatus& status : unlocked([&] { return self->status(); }))
    all.append(python_status(status));
  return all;
}

py::tuple place(const PythonCluster& self, const std::string& keyspace, const py::object& key) {
  const Bytes wanted = bytes_from(key, "key");
  const auto placed = unwrap(unlocked([&] { return self->preference_list(keyspace, wanted); }));
  return python_place(*self->ring(), wanted, placed);
}

void change_engine(const PythonCluster& self, const std::string& node, const std::string& keyspace,
                   std::optional<bool> paused, const std::map<std::string, std::string>& faults) {
  const EngineFaults change{keyspace, paused, {faults.begin(), faults.end()}};
  check(unlocked([&] { return self->change_engine(node, change); }));
}

// A method that takes a node's name.
template <Status (Cluster::*method)(std::string_view)>
void act_on_node(const PythonCluster& self, const std::string& node) {
  check(unlocked([&] { return ((*self).*method)(node); }));
}

void bind_life_and_links(py::class_<PythonCluster>& type) {
  type.def("stop", &act_on_node<&Cluster::stop>, py::arg("node"))
      .def("kill", &act_on_node<&Cluster::kill>, py::arg("node"))
      .def("restart", &act_on_node<&Cluster::restart>, py::arg("node"))
      .def("pause", &act_on_node<&Cluster::pause>, py::arg("node"))
      .def("resume", &act_on_node<&Cluster::resume>, py::arg("node"))
      .def("change_engine", &change_engine, py::arg("node"), py::arg("keyspace"), py::arg("paused"),
           py::arg("faults"))
      .def(
          "partition",
          [](const PythonCluster& self, const std::vector<std::vector<std::string>>& groups) {
            check(unlocked([&] { return self->partition(groups); }));
          },
          py::arg("groups"))
      .def(
          "cut",
          [](const PythonCluster& self, const std::string& source, const std::string& target) {
            check(unlocked([&] { return self->cut(source, target); }));
          },
          py::arg("source"), py::arg("target"))
      .def(
          "delay",
          [](const PythonCluster& self, const std::string& source, const std::string& target,
             double delay) {
            check(unlocked([&] { return self->delay(source, target, nanoseconds_of(delay)); }));
          },
          py::arg("source"), py::arg("target"), py::arg("delay"))
      .def("heal", [](const PythonCluster& self) { unlocked([&] { self->heal(); }); });
}

}  // namespace

void bind_cluster(py::module_& module) {
  py::class_<PythonCluster> type(module, "Cluster");
  type.def_static("local", &local, py::arg("settings"))
      .def("client", &make_client, py::arg("choice"))
      .def("async_client", &make_async_client, py::arg("choice"))
      .def("status", &statuses)
      .def(
          "node_status",
          [](const PythonCluster& self, const std::string& node) {
            return python_status(unwrap(unlocked([&] { return self->status(node); })));
          },
          py::arg("node"))
      .def(
          "node_metrics",
          [](const PythonCluster& self, const std::string& node) {
            return node_metrics(unwrap(unlocked([&] { return self->status(node); })));
          },
          py::arg("node"))
      .def("ring", [](const PythonCluster& self) { return python_ring(*self->ring()); })
      .def("place", &place, py::arg("keyspace"), py::arg("key"))
      .def("keyspaces",
           [](const PythonCluster& self) {
             py::list all;
             for (const auto& keyspace : self->keyspaces()) all.append(python_keyspace(*keyspace));
             return all;
           })
      .def("directory", [](const PythonCluster& self) { return self->directory(); })
      .def("close", [](const PythonCluster& self) { unlocked([&] { self->close(); }); })
      .def("is_closed",
           [](const PythonCluster& self) { return unlocked([&] { return self->is_closed(); }); });
  bind_life_and_links(type);
}

}  // namespace ringwright::python
