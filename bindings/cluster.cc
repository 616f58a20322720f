#include "replication/runtime/cluster.h"

#include <pybind11/stl.h>

#include "bindings/client.h"
#include "bindings/convert.h"
#include "bindings/errors.h"
#include "replication/version/storage_key.h"

namespace ringwright::python {
namespace {

using PythonCluster = Owned<std::unique_ptr<Cluster>>;

py::dict to_python(const EngineStatus& engine) {
  py::dict result;
  result["keyspace"] = engine.keyspace;
  result["engine"] = engine.engine;
  result["durability"] = durability_name(engine.durability);
  result["approximate_keys"] = engine.stats.approximate_keys;
  result["disk_bytes"] = engine.stats.disk_bytes;
  result["memory_bytes"] = engine.stats.memory_bytes;
  result["pressure"] = engine.pressure;
  return result;
}

py::dict to_python(const NodeStatus& status) {
  py::dict members;
  for (const auto& [name, state] : status.members)
    members[py::str(name)] = member_state_name(state);
  py::dict counters;
  for (const auto& [name, count] : status.counters) counters[py::str(name)] = count;
  py::list engines;
  for (const EngineStatus& engine : status.engines) engines.append(to_python(engine));
  py::dict result;
  result["name"] = status.name;
  result["id"] = to_string(status.id);
  result["condition"] = node_condition_name(status.condition);
  result["failure"] = status.failure;
  result["address"] = status.address;
  result["shards"] = status.shards;
  result["directory"] = status.directory;
  result["members"] = members;
  result["counters"] = counters;
  result["engines"] = engines;
  result["may_hold_fallback_rows"] = status.may_hold_fallback_rows;
  return result;
}

py::dict to_python(const Ring& ring) {
  py::list members;
  for (const Member& member : ring.members()) {
    py::dict entry;
    entry["name"] = member.name;
    entry["id"] = to_string(member.id);
    entry["rack"] = member.rack;
    entry["data_centre"] = member.data_centre;
    entry["weight"] = member.weight;
    members.append(entry);
  }
  py::list owners;
  for (const std::uint32_t owner : ring.owners()) owners.append(ring.members()[owner].name);
  py::dict result;
  result["epoch"] = ring.epoch();
  result["hash"] = ring.hash();
  result["members"] = members;
  result["owners"] = owners;
  return result;
}

py::dict to_python(const Keyspace& keyspace) {
  py::dict result;
  result["name"] = keyspace.name;
  result["engine"] = keyspace.engine;
  result["resolver"] = keyspace.resolver_name;
  result["record_kind"] = record_kind_name(keyspace.kind());
  result["n"] = keyspace.n;
  result["r"] = keyspace.r;
  result["w"] = keyspace.w;
  result["sloppy"] = keyspace.sloppy;
  result["fan_out"] = keyspace.fan_out == FanOut::all ? "all" : "quorum";
  result["ttl"] = static_cast<double>(keyspace.ttl_us) / 1e6;
  result["durability"] = durability_name(keyspace.durability);
  return result;
}

py::dict to_python(const Placement& placement) {
  py::dict result;
  result["node"] = placement.node;
  result["role"] = placement.role == Role::primary ? "primary" : "fallback";
  result["stands_in_for"] = placement.stands_in_for;
  result["up"] = placement.up;
  return result;
}

std::unique_ptr<PythonCluster> local(const Settings& settings) {
  return std::make_unique<PythonCluster>(
      unwrap(unlocked([&] { return Cluster::local(settings); })));
}

std::unique_ptr<PythonClient> make_client(const PythonCluster& self, const std::string& keyspace,
                                          const std::string& node, std::optional<double> timeout,
                                          std::optional<std::uint32_t> retries) {
  ClientOptions options = self->client_options();
  options.keyspace = keyspace;
  options.node = node;
  if (timeout) options.timeout = nanoseconds_of(*timeout);
  if (retries) options.retries = *retries;
  return std::make_unique<PythonClient>(unwrap(unlocked([&] { return self->client(options); })),
                                        self->ring());
}

py::list statuses(const PythonCluster& self) {
  py::list all;
  for (const NodeStatus& status : unlocked([&] { return self->status(); }))
    all.append(to_python(status));
  return all;
}

// (token, partition, preference list)
py::tuple place(const PythonCluster& self, const std::string& keyspace, const py::object& key) {
  const Bytes wanted = bytes_from(key, "key");
  py::list entries;
  for (const Placement& placement :
       unwrap(unlocked([&] { return self->preference_list(keyspace, wanted); })))
    entries.append(to_python(placement));
  const Token token = token_of(wanted);
  return py::make_tuple(token, self->ring()->partition_of(token), entries);
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
      .def("client", &make_client, py::arg("keyspace"), py::arg("node"), py::arg("timeout"),
           py::arg("retries"))
      .def("status", &statuses)
      .def(
          "node_status",
          [](const PythonCluster& self, const std::string& node) {
            return to_python(unwrap(unlocked([&] { return self->status(node); })));
          },
          py::arg("node"))
      .def("ring", [](const PythonCluster& self) { return to_python(*self->ring()); })
      .def("place", &place, py::arg("keyspace"), py::arg("key"))
      .def("keyspaces",
           [](const PythonCluster& self) {
             py::list all;
             for (const auto& keyspace : self->keyspaces()) all.append(to_python(*keyspace));
             return all;
           })
      .def("directory", [](const PythonCluster& self) { return self->directory(); })
      .def("close", [](const PythonCluster& self) { unlocked([&] { self->close(); }); })
      .def("is_closed",
           [](const PythonCluster& self) { return unlocked([&] { return self->is_closed(); }); });
  bind_life_and_links(type);
}

}  // namespace ringwright::python
