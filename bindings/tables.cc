#include "bindings/convert.h"

namespace ringwright::python {
namespace {

py::dict to_python(const EngineStatus& engine) {
  py::list damaged;
  for (const KeyRange& range : engine.stats.damaged)
    damaged.append(py::make_tuple(python_bytes(range.start), python_bytes(range.stop)));
  py::dict result;
  result["keyspace"] = engine.keyspace;
  result["engine"] = engine.engine;
  result["durability"] = durability_name(engine.durability);
  result["approximate_keys"] = engine.stats.approximate_keys;
  result["disk_bytes"] = engine.stats.disk_bytes;
  result["memory_bytes"] = engine.stats.memory_bytes;
  result["pressure"] = engine.pressure;
  result["damaged"] = damaged;
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

}  // namespace

py::dict python_status(const NodeStatus& status) {
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

py::dict python_ring(const Ring& ring) {
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

py::dict python_keyspace(const Keyspace& keyspace) {
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

py::tuple python_place(const Ring& ring, ByteView key, const std::vector<Placement>& placements) {
  py::list entries;
  for (const Placement& placement : placements) entries.append(to_python(placement));
  const Token token = token_of(key);
  return py::make_tuple(token, ring.partition_of(token), entries);
}

}  // namespace ringwright::python
