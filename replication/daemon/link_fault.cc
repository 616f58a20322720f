#include "replication/daemon/link_fault.h"

#include <nlohmann/json.hpp>

namespace ringwright {
namespace {

using Json = nlohmann::ordered_json;

Status invalid(const std::string& what) { return {Code::invalid, what}; }

Status read_link(const Json& entry, const std::string& place, LinkFault& fault) {
  if (!entry.is_object()) return invalid(place + " is no object");
  for (const auto& [key, value] : entry.items()) {
    if (key == "from" && value.is_string())
      fault.from = value.get<std::string>();
    else if (key == "to" && value.is_string())
      fault.to = value.get<std::string>();
    else if (key == "cut" && value.is_boolean())
      fault.cut = value.get<bool>();
    else if (key == "delay_ms" && value.is_number_unsigned() &&
             value.get<std::uint64_t>() <= fault_delay_ms_max)
      fault.delay_ms = value.get<std::uint32_t>();
    else if (key == "from" || key == "to")
      return invalid(place + "." + key + " is not the name of a member");
    else if (key == "cut")
      return invalid(place + ".cut is neither true nor false");
    else if (key == "delay_ms")
      return invalid(place + ".delay_ms is no whole number from 0 to " +
                     std::to_string(fault_delay_ms_max));
    else
      return invalid(place + " has the unknown key '" + key +
                     "'; there are from, to, cut and delay_ms");
  }
  if (fault.from.empty() || fault.to.empty()) return invalid(place + " lacks `from` or `to`");
  return ok_status();
}

}  // namespace

Result<std::vector<LinkFault>> parse_link_faults(std::string_view json) {
  const Json parsed = Json::parse(json, nullptr, false);
  if (parsed.is_discarded()) return invalid("the body is no JSON");
  if (!parsed.is_object() || parsed.size() != 1 || !parsed.contains("links") ||
      !parsed["links"].is_array())
    return invalid(R"(the body is not of the form {"links":[...]})");
  std::vector<LinkFault> faults;
  for (const Json& entry : parsed["links"]) {
    LinkFault fault;
    RW_TRY(read_link(entry, "links[" + std::to_string(faults.size()) + "]", fault));
    for (const LinkFault& known : faults)
      if (known.from == fault.from && known.to == fault.to)
        return invalid("the link from " + fault.from + " to " + fault.to + " is named twice");
    faults.push_back(std::move(fault));
  }
  return faults;
}

std::string link_faults_json(const std::vector<LinkFault>& faults) {
  Json links = Json::array();
  for (const LinkFault& fault : faults)
    links.push_back(
        {{"from", fault.from}, {"to", fault.to}, {"cut", fault.cut}, {"delay_ms", fault.delay_ms}});
  return Json{{"links", links}}.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace ringwright
