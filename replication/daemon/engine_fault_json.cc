#include "replication/daemon/engine_fault_json.h"

#include <nlohmann/json.hpp>

namespace ringwright {
namespace {

using Json = nlohmann::ordered_json;

Status invalid(const std::string& what) { return {Code::invalid, what}; }

Status read_faults(const Json& entry, const std::string& place, EngineOptions& faults) {
  if (!entry.is_object()) return invalid(place + " is no object");
  for (const auto& [name, value] : entry.items()) {
    if (value.is_string())
      faults[name] = value.get<std::string>();
    else if (value.is_number())
      faults[name] = value.dump();
    else
      return invalid(place + "." + name + " is neither text nor a number");
  }
  return ok_status();
}

Status read_engine(const Json& entry, const std::string& place, EngineFaults& change) {
  if (!entry.is_object()) return invalid(place + " is no object");
  for (const auto& [key, value] : entry.items()) {
    if (key == "keyspace" && value.is_string())
      change.keyspace = value.get<std::string>();
    else if (key == "keyspace")
      return invalid(place + ".keyspace is not the name of a keyspace");
    else if (key == "paused" && value.is_boolean())
      change.paused = value.get<bool>();
    else if (key == "paused")
      return invalid(place + ".paused is neither true nor false");
    else if (key == "faults")
      RW_TRY(read_faults(value, place + ".faults", change.faults));
    else
      return invalid(place + " has the unknown key '" + key +
                     "'; there are keyspace, paused and faults");
  }
  if (change.keyspace.empty()) return invalid(place + " lacks `keyspace`");
  return ok_status();
}

}  // namespace

Result<std::vector<EngineFaults>> parse_engine_changes(std::string_view json) {
  const Json parsed = Json::parse(json, nullptr, false);
  if (parsed.is_discarded()) return invalid("the body is no JSON");
  if (!parsed.is_object() || parsed.size() != 1 || !parsed.contains("engines") ||
      !parsed["engines"].is_array())
    return invalid(R"(the body is not of the form {"engines":[...]})");
  std::vector<EngineFaults> changes;
  for (const Json& entry : parsed["engines"]) {
    EngineFaults change;
    RW_TRY(read_engine(entry, "engines[" + std::to_string(changes.size()) + "]", change));
    changes.push_back(std::move(change));
  }
  return changes;
}

std::string faults_json(const std::vector<LinkFault>& links,
                        const std::vector<EngineFaults>& engines) {
  std::string text = link_faults_json(links);
  if (engines.empty()) return text;
  Json shown = Json::array();
  for (const EngineFaults& engine : engines) {
    Json entry = {{"keyspace", engine.keyspace}};
    if (engine.paused) entry["paused"] = *engine.paused;
    entry["faults"] = Json::object();
    for (const auto& [name, value] : engine.faults) entry["faults"][name] = value;
    shown.push_back(std::move(entry));
  }
  text.pop_back();  // the bracket that closes the object
  return text + ",\"engines\":" + shown.dump(-1, ' ', false, Json::error_handler_t::replace) + "}";
}

}  // namespace ringwright
