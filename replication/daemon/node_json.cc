#include "replication/daemon/node_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace ringwright {
namespace {

using Json = nlohmann::ordered_json;

std::string page(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string_view verdict_name(HealthCheck::Verdict verdict) {
  switch (verdict) {
    case HealthCheck::Verdict::good:
      return "ok";
    case HealthCheck::Verdict::degraded:
      return "degraded";
    case HealthCheck::Verdict::failing:
      return "failing";
  }
  return "";
}

// Printable ASCII as it is, a backslash twice, any other byte as \x and two hexadecimal digits.
std::string escaped(ByteView key) {
  std::string text;
  for (const char c : key) {
    if (c == '\\')
      text += "\\\\";
    else if (c >= ' ' && c <= '~')
      text.push_back(c);
    else
      text += "\\x" + to_hex(ByteView(&c, 1));
  }
  return text;
}

Json engine_json(const EngineStatus& engine) {
  Json damaged = Json::array();
  for (const KeyRange& range : engine.stats.damaged)
    damaged.push_back({{"start", escaped(range.start)}, {"stop", escaped(range.stop)}});
  return {{"keyspace", engine.keyspace},
          {"engine", engine.engine},
          {"durability", durability_name(engine.durability)},
          {"approximate_keys", engine.stats.approximate_keys},
          {"disk_bytes", engine.stats.disk_bytes},
          {"memory_bytes", engine.stats.memory_bytes},
          {"pressure", engine.pressure},
          {"damaged_ranges", engine.stats.damaged.size()},
          {"damaged", damaged}};
}

}  // namespace

std::string status_json(const NodeStatus& status) {
  Json members = Json::object();
  for (const auto& [name, state] : status.members) members[name] = member_state_name(state);
  Json counters = Json::object();
  for (const auto& [name, count] : status.counters) counters[name] = count;
  Json engines = Json::array();
  for (const EngineStatus& engine : status.engines) engines.push_back(engine_json(engine));
  return page({{"name", status.name},
               {"id", to_string(status.id)},
               {"condition", node_condition_name(status.condition)},
               {"failure", status.failure},
               {"address", status.address},
               {"shards", status.shards},
               {"directory", status.directory},
               {"members", members},
               {"counters", counters},
               {"engines", engines},
               {"may_hold_fallback_rows", status.may_hold_fallback_rows}});
}

std::string health_json(const std::vector<HealthCheck>& checks, bool verbose) {
  auto worst = HealthCheck::Verdict::good;
  Json reasons = Json::array();
  Json all = Json::array();
  for (const HealthCheck& check : checks) {
    worst = std::max(worst, check.verdict);
    if (check.verdict != HealthCheck::Verdict::good) reasons.push_back(check.reason);
    all.push_back(
        {{"name", check.name}, {"status", verdict_name(check.verdict)}, {"reason", check.reason}});
  }
  Json json = {{"status", verdict_name(worst)}, {"reasons", reasons}};
  if (verbose) json["checks"] = all;
  return page(json);
}

std::string error_json(const std::string& message) { return page({{"error", message}}); }

}  // namespace ringwright
