#include "replication/config/settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/nearest.h"
#include "engine/base/units.h"
#include "engine/engine_stack.h"
#include "engine/registry.h"
#include "replication/config/address.h"
#include "replication/config/node_id.h"

namespace ringwright {
namespace {

enum class Type : std::uint8_t {
  text,
  name,    // letters, digits, '-', '_', '.'
  number,  // a whole number
  count,   // one above zero
  flag,
  size,
  duration,
  durability,
  fan_out,
  id,       // a UUID, or empty
  address,  // host:port, or empty
  log_format,
  log_level,
};

struct Row {
  std::string_view section;  // of a keyspace: "keyspace"
  std::string_view key;
  Type type;
  std::string_view built_in;  // empty for n, r and w: derived from others
  std::string_view description;
  std::string_view node_built_in = {};  // where it is another one in the table of a node
};

constexpr std::array rows = {
    Row{"cluster", "name", Type::name, "local", "the cluster's name, kept in every directory"},
    Row{"cluster", "partitions", Type::count, "256", "equal parts of the ring"},
    Row{"cluster", "nodes", Type::count, "3", "nodes of a cluster in one process; else members"},
    Row{"node", "name", Type::name, "node1", "which of the members this node is"},
    Row{"node", "id", Type::id, "", "its id; empty: that of its member, or derived"},
    Row{"node", "data_dir", Type::text, "", "where data lie; empty: a temporary directory"},
    Row{"node", "shards", Type::count, "1", "data-path threads of each node"},
    Row{"node", "rack", Type::text, "", "replicas are spread over racks"},
    Row{"node", "data_centre", Type::text, "", "and over data centres"},
    Row{"node", "executor_threads", Type::count, "2", "threads for engine calls that block"},
    Row{"node", "idle_poll", Type::duration, "100us", "how long a thread looks before it sleeps"},
    Row{"listen", "client", Type::address, "127.0.0.1:7480", "where clients are heard"},
    Row{"listen", "peer", Type::address, "127.0.0.1:7481", "where other nodes are heard"},
    Row{"listen", "admin", Type::address, "127.0.0.1:7482", "metrics, health; empty: none"},
    Row{"listen", "insecure", Type::flag, "false", "hear other machines, without protection"},
    Row{"member", "client", Type::address, "", "where clients find it"},
    Row{"member", "peer", Type::address, "", "where other nodes find it"},
    Row{"member", "id", Type::id, "", "its id; empty: derived from the two names"},
    Row{"member", "rack", Type::text, "", "replicas are spread over racks"},
    Row{"member", "data_centre", Type::text, "", "and over data centres"},
    Row{"member", "weight", Type::count, "1", "share of the keys relative to the others"},
    Row{"keyspace", "engine", Type::text, "memory", "the engine, or a stack: faulty(memory)"},
    Row{"keyspace", "engine_on", Type::text, "", "engine_on.<node>: another engine on that node"},
    Row{"keyspace", "n", Type::count, "", "copies of each key; built in: 3, at most the nodes"},
    Row{"keyspace", "r", Type::count, "", "replicas that a get needs; built in: a majority of n"},
    Row{"keyspace", "w", Type::count, "", "replicas that a put needs; built in: a majority of n"},
    Row{"keyspace", "resolver", Type::text, "vector_clock", "what is done about siblings"},
    Row{"keyspace", "sloppy", Type::flag, "true", "stand-ins count while primaries are away"},
    Row{"keyspace", "fan_out", Type::fan_out, "all", "replicas that a get asks: quorum or all"},
    Row{"keyspace", "durability", Type::durability, "os", "none, os or disk", "disk"},
    Row{"keyspace", "ttl", Type::duration, "0s", "how long a value lives; 0: for ever"},
    Row{"keyspace", "value_bytes_max", Type::size, "1MiB", "the largest value of a put"},
    Row{"keyspace", "record_bytes_max", Type::size, "7616KiB", "the largest record after a put"},
    Row{"keyspace", "siblings_max", Type::count, "100", "the most siblings after a put"},
    Row{"transport", "kind", Type::text, "loopback", "how messages travel", "thrift"},
    Row{"plugins", "path", Type::text, "", "folders of plugins, ':' between; searched first"},
    Row{"plugins", "load", Type::text, "", "plugins to load at once: names or paths, ',' between"},
    Row{"membership", "ping_interval", Type::duration, "100ms", "how often nodes ping each other"},
    Row{"membership", "suspect_after", Type::duration, "500ms", "silence that makes a suspect"},
    Row{"client", "timeout", Type::duration, "1s", "a request's deadline"},
    Row{"client", "retries", Type::number, "2", "further replicas that a client tries"},
    Row{"dev", "faults", Type::flag, "false", "let links be cut over the admin port"},
    Row{"log", "format", Type::log_format, "text", "text or json, a line for each event"},
    Row{"log", "level", Type::log_level, "info", "debug, info, warning or error"},
};
constexpr std::string_view default_keyspace = "default";
// keyspace.<name>.engine_on.<node>: one row, a key for each node.
constexpr std::string_view engine_on = "engine_on";

// Sections of which there are several, each with a name: [keyspace.<name>].
bool has_parts(std::string_view section) {
  return section == "keyspace" || section == "engine" || section == "member";
}

// A key, taken apart. Views into the key.
struct KeyParts {
  std::string_view section;
  std::string_view part;  // the keyspace's, engine's or member's name; else empty
  std::string_view rest;
};

KeyParts take_apart(std::string_view key) {
  KeyParts parts;
  const auto dot = key.find('.');
  parts.section = key.substr(0, dot);
  if (dot == key.npos) return parts;
  parts.rest = key.substr(dot + 1);
  if (!has_parts(parts.section)) return parts;
  const auto second = parts.rest.find('.');
  parts.part = parts.rest.substr(0, second);
  parts.rest = second == key.npos ? std::string_view{} : parts.rest.substr(second + 1);
  return parts;
}

const Row* find_row(std::string_view section, std::string_view key) {
  const auto* const at = std::find_if(rows.begin(), rows.end(), [&](const Row& row) {
    return row.section == section && row.key == key;
  });
  return at == rows.end() ? nullptr : at;
}

// The node of a key `engine_on.<node>`; empty when it is another key.
std::string_view node_of_override(const KeyParts& parts) {
  if (parts.section != "keyspace" || !parts.rest.starts_with(engine_on)) return {};
  std::string_view node = parts.rest.substr(engine_on.size());
  if (!node.starts_with('.')) return {};
  node.remove_prefix(1);
  return node.find('.') == node.npos ? node : std::string_view{};
}

const Row* find_row(std::string_view key) {
  const KeyParts parts = take_apart(key);
  if (!node_of_override(parts).empty()) return find_row(parts.section, engine_on);
  return parts.rest == engine_on ? nullptr : find_row(parts.section, parts.rest);
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= limits::name_bytes_max &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_';
         });
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (text.empty() || read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  return number;
}

std::optional<bool> parse_flag(std::string_view text) {
  if (text == "true" || text == "1" || text == "yes" || text == "on") return true;
  if (text == "false" || text == "0" || text == "no" || text == "off") return false;
  return std::nullopt;
}

Status wrong_type(std::string_view key, std::string_view value, const std::string& wanted) {
  return {Code::invalid, std::string(key) + " = '" + std::string(value) + "': write " + wanted};
}

Status named(std::string_view key, const Status& status) {
  return {status.code(), std::string(key) + ": " + status.message()};
}

Status check_value(const Row& row, std::string_view key, std::string_view value) {
  switch (row.type) {
    case Type::text:
      return ok_status();
    case Type::name:
      if (is_name(value)) return ok_status();
      return wrong_type(
          key, value,
          "1 to " + std::to_string(limits::name_bytes_max) + " letters, digits, '-' and '_'");
    case Type::number:
    case Type::count: {
      const auto number = parse_number(value);
      const bool is_count = row.type == Type::count;
      if (number && *number >= (is_count ? 1 : 0) && *number <= UINT32_MAX) return ok_status();
      return wrong_type(key, value, is_count ? "a whole number above zero" : "a whole number");
    }
    case Type::flag:
      if (parse_flag(value)) return ok_status();
      return wrong_type(key, value, "true or false");
    case Type::size:
      if (const auto size = parse_size(value); !size) return named(key, size.error());
      return ok_status();
    case Type::duration:
      if (const auto span = parse_duration(value); !span) return named(key, span.error());
      return ok_status();
    case Type::durability:
      if (const auto durability = parse_durability(value); !durability)
        return named(key, durability.error());
      return ok_status();
    case Type::fan_out:
      if (value == "quorum" || value == "all") return ok_status();
      return wrong_type(key, value, "quorum or all");
    case Type::id:
      if (value.empty() || parse_node_id(value)) return ok_status();
      return wrong_type(key, value, "a UUID: 32 hexadecimal digits, with or without '-'");
    case Type::address:
      if (value.empty()) return ok_status();
      if (const auto address = parse_address(value); !address) return named(key, address.error());
      return ok_status();
    case Type::log_format:
      if (value == "text" || value == "json") return ok_status();
      return wrong_type(key, value, "text or json");
    case Type::log_level:
      if (value == "debug" || value == "info" || value == "warning" || value == "error")
        return ok_status();
      return wrong_type(key, value, "debug, info, warning or error");
  }
  return ok_status();
}

// `invalid`, with the key that was probably meant.
Status unknown_key(std::string_view key) {
  const KeyParts parts = take_apart(key);
  std::vector<std::string> sections = {"engine"};
  std::vector<std::string> keys;
  for (const Row& row : rows) {
    sections.emplace_back(row.section);
    if (row.section == parts.section && row.key != engine_on) keys.emplace_back(row.key);
  }
  std::string meant;
  if (parts.section == "engine") {
    meant = "engine.<name>.<option>";
  } else if (keys.empty()) {
    meant = nearest_name(parts.section, sections);
    meant += has_parts(meant) ? ".<name>." : ".";
    // The rest may be right: then the whole key can be named.
    const std::string whole = meant + std::string(parts.rest);
    meant += find_row(take_apart(whole).section, parts.rest) != nullptr ? std::string(parts.rest)
                                                                        : "...";
  } else {
    meant = std::string(parts.section) + ".";
    if (!parts.part.empty()) meant += std::string(parts.part) + ".";
    // `keyspace.n` lacks the keyspace's name.
    const bool lacks_name = has_parts(parts.section) && parts.rest.empty();
    if (lacks_name)
      meant = parts.section == "keyspace" ? "keyspace." + std::string(default_keyspace) + "."
                                          : std::string(parts.section) + ".<name>.";
    if (parts.rest.starts_with(engine_on))
      meant += "engine_on.<node>";
    else
      meant += nearest_name(lacks_name ? parts.part : parts.rest, keys);
  }
  return {Code::invalid,
          "there is no setting '" + std::string(key) + "'; did you mean '" + meant + "'?"};
}

std::string key_of(const std::string& keyspace, std::string_view key) {
  return "keyspace." + keyspace + "." + std::string(key);
}

}  // namespace

std::string_view setting_origin_name(SettingOrigin origin) {
  switch (origin) {
    case SettingOrigin::built_in:
      return "built-in";
    case SettingOrigin::file:
      return "file";
    case SettingOrigin::environment:
      return "environment";
    case SettingOrigin::set:
      return "set";
  }
  return "";
}

Settings::Settings() = default;

Settings Settings::for_node() const {
  Settings changed = *this;
  changed.is_for_node_ = true;
  return changed;
}

Status Settings::add(std::string_view key, std::string_view value, SettingOrigin origin) {
  const KeyParts parts = take_apart(key);
  if (parts.section == "engine") {
    if (!is_name(parts.part) || parts.rest.empty()) return unknown_key(key);
  } else {
    const Row* const row = find_row(key);
    if (row == nullptr) return unknown_key(key);
    if (has_parts(row->section) && !is_name(parts.part))
      return {Code::invalid, "'" + std::string(parts.part) + "' is no name for a " +
                                 std::string(row->section) + ": use letters, digits, '-' and '_'"};
    RW_TRY(check_value(*row, key, value));
  }
  const auto at = values_.find(key);
  if (at == values_.end())
    values_.emplace(std::string(key), Value{std::string(value), origin});
  else if (at->second.origin <= origin)
    at->second = {std::string(value), origin};
  return ok_status();
}

Status Settings::add_all(const Values& values, SettingOrigin origin, const std::string& source) {
  Settings changed = *this;
  for (const auto& [key, value] : values) {
    const Status status = changed.add(key, value, origin);
    if (status.is_ok()) continue;
    return source.empty() ? status : Status{status.code(), source + ": " + status.message()};
  }
  *this = std::move(changed);
  return ok_status();
}

Status Settings::add_values(const Values& values) {
  return add_all(values, SettingOrigin::file, "");
}

Status Settings::add_environment(const Values& variables) {
  constexpr std::string_view prefix = "RINGWRIGHT_";
  Values found;
  for (const auto& [variable, value] : variables) {
    if (!variable.starts_with(prefix) || variable.find("__", prefix.size()) == variable.npos)
      continue;
    std::string key = variable.substr(prefix.size());
    for (auto at = key.find("__"); at != key.npos; at = key.find("__", at + 1))
      key.replace(at, 2, ".");
    for (char& c : key)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    found[key] = value;
  }
  return add_all(found, SettingOrigin::environment, "environment");
}

Status Settings::set(std::string_view assignment) {
  const auto equals = assignment.find('=');
  if (equals == assignment.npos)
    return {Code::invalid,
            "'" + std::string(assignment) + "' is not of the form section.key=value"};
  return set(assignment.substr(0, equals), assignment.substr(equals + 1));
}

Status Settings::set(std::string_view key, std::string_view value, SettingOrigin origin) {
  return add(key, value, origin);
}

const Settings::Value* Settings::find(std::string_view key) const {
  const auto at = values_.find(key);
  return at == values_.end() ? nullptr : &at->second;
}

std::string Settings::text(std::string_view key) const {
  if (const Value* const value = find(key)) return value->text;
  const Row* const row = find_row(key);
  RW_CHECK(row != nullptr);
  if (is_for_node_ && key == "cluster.nodes")
    return std::to_string(std::max<std::size_t>(1, member_names().size()));
  if (row->section != "keyspace" || !row->built_in.empty())
    return std::string(is_for_node_ && !row->node_built_in.empty() ? row->node_built_in
                                                                   : row->built_in);
  if (row->key == "n") return std::to_string(std::min<std::uint64_t>(3, number("cluster.nodes")));
  const std::string keyspace(take_apart(key).part);
  return std::to_string(number(key_of(keyspace, "n")) / 2 + 1);
}

std::uint64_t Settings::number(std::string_view key) const {
  const Row* const row = find_row(key);
  RW_CHECK(row != nullptr);
  if (row->type == Type::size) return *parse_size(text(key));
  const auto number = parse_number(text(key));
  RW_CHECK(number.has_value());
  return *number;
}

bool Settings::flag(std::string_view key) const {
  const auto flag = parse_flag(text(key));
  RW_CHECK(flag.has_value());
  return *flag;
}

Nanoseconds Settings::duration(std::string_view key) const { return *parse_duration(text(key)); }

std::vector<std::string> Settings::part_names(std::string_view section) const {
  std::vector<std::string> names;
  for (const auto& [key, value] : values_)
    if (const KeyParts parts = take_apart(key); parts.section == section)
      names.emplace_back(parts.part);
  if (section == "keyspace") names.emplace_back(default_keyspace);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::vector<std::string> Settings::keyspace_names() const { return part_names("keyspace"); }
std::vector<std::string> Settings::member_names() const { return part_names("member"); }

std::vector<MemberSettings> Settings::members() const {
  const std::string cluster = text("cluster.name");
  const auto id_of = [&](const std::string& name, const std::string& given) {
    return given.empty() ? derived_node_id(cluster, name) : *parse_node_id(given);
  };
  std::vector<MemberSettings> members;
  for (const std::string& name : member_names()) {
    const auto value = [&](std::string_view key) {
      return text("member." + name + "." + std::string(key));
    };
    MemberSettings known;
    known.member = {id_of(name, value("id")), name, value("rack"), value("data_centre"),
                    static_cast<std::uint32_t>(number("member." + name + ".weight"))};
    known.client = value("client");
    known.peer = value("peer");
    members.push_back(std::move(known));
  }
  if (!members.empty()) return members;
  const std::string name = text("node.name");
  MemberSettings alone;
  alone.member = {id_of(name, text("node.id")), name, text("node.rack"), text("node.data_centre"),
                  1};
  return {alone};
}

EngineOptions Settings::engine_options(std::string_view engine) const {
  EngineOptions options;
  const auto names = engine_stack_names(engine);
  if (!names) return options;
  for (const std::string& name : *names) {
    const std::string prefix = "engine." + name + ".";
    const std::string under = &name == &names->back() ? "" : name + ".";
    for (auto at = values_.lower_bound(prefix);
         at != values_.end() && at->first.starts_with(prefix); ++at)
      options[under + at->first.substr(prefix.size())] = at->second.text;
  }
  return options;
}

std::string Settings::engine_of(const std::string& keyspace, std::string_view node) const {
  const Value* const other =
      node.empty() ? nullptr
                   : find(key_of(keyspace, std::string(engine_on) + "." + std::string(node)));
  return other != nullptr ? other->text : text(key_of(keyspace, "engine"));
}

std::vector<std::string> Settings::node_names() const {
  std::vector<std::string> names;
  if (is_for_node_) {
    for (const MemberSettings& known : members()) names.push_back(known.member.name);
  } else {
    for (std::uint64_t i = 1; i <= number("cluster.nodes"); ++i)
      names.push_back("node" + std::to_string(i));
  }
  return names;
}

Status Settings::check_overrides() const {
  const std::vector<std::string> names = node_names();
  for (const auto& [key, value] : values_) {
    const std::string_view node = node_of_override(take_apart(key));
    if (node.empty() || std::find(names.begin(), names.end(), node) != names.end()) continue;
    return {Code::invalid, key + ": there is no node '" + std::string(node) + "'; did you mean '" +
                               nearest_name(node, names) + "'?"};
  }
  return ok_status();
}

Result<std::shared_ptr<const Keyspace>> Settings::make_keyspace(Registry& registry,
                                                                const std::string& name,
                                                                std::string_view node) const {
  const auto count = [&](std::string_view key) {
    return static_cast<std::uint32_t>(number(key_of(name, key)));
  };
  auto keyspace = std::make_shared<Keyspace>();
  keyspace->name = name;
  keyspace->engine = engine_of(name, node);
  keyspace->engine_options = engine_options(keyspace->engine);
  keyspace->resolver_name = text(key_of(name, "resolver"));
  keyspace->n = count("n");
  keyspace->r = count("r");
  keyspace->w = count("w");
  keyspace->sloppy = flag(key_of(name, "sloppy"));
  keyspace->fan_out = text(key_of(name, "fan_out")) == "all" ? FanOut::all : FanOut::quorum;
  keyspace->ttl_us = static_cast<std::uint64_t>(duration(key_of(name, "ttl")) / 1000);
  keyspace->durability = *parse_durability(text(key_of(name, "durability")));
  keyspace->value_bytes_max = number(key_of(name, "value_bytes_max"));
  keyspace->record_bytes_max = number(key_of(name, "record_bytes_max"));
  keyspace->siblings_max = number(key_of(name, "siblings_max"));
  RW_TRY(check_counts(*keyspace));

  const auto engine = make_engine_stack(registry, keyspace->engine);
  if (!engine) return named(key_of(name, "engine"), engine.error());
  auto resolver = registry.create<ConflictResolver>(keyspace->resolver_name);
  if (!resolver) {
    Status refused = named(key_of(name, "resolver"), resolver.error());
    if (!is_for_node_) return refused;
    return Status{refused.code(), refused.message() +
                                      "; a node whose resolver is written in Python is run by "
                                      "`ringwright serve`"};
  }
  keyspace->resolver = std::move(*resolver);
  return std::shared_ptr<const Keyspace>(std::move(keyspace));
}

Status Settings::check_counts(const Keyspace& keyspace) const {
  const auto refuse = [&](std::string_view key, std::uint64_t value, const std::string& why) {
    return Status{Code::invalid,
                  key_of(keyspace.name, key) + " = " + std::to_string(value) + ": " + why};
  };
  const std::uint64_t nodes = number("cluster.nodes");
  if (keyspace.n > limits::replicas_max)
    return refuse("n", keyspace.n,
                  "at most " + std::to_string(limits::replicas_max) + " copies are possible");
  if (keyspace.n > nodes)
    return refuse("n", keyspace.n,
                  "there are only " + std::to_string(nodes) +
                      " nodes to keep the copies; lower n or " +
                      (is_for_node_ ? "add a [member.<name>]" : "raise cluster.nodes"));
  const std::string copies = "there are only n = " + std::to_string(keyspace.n) + " copies; lower ";
  if (keyspace.r > keyspace.n) return refuse("r", keyspace.r, copies + "r or raise n");
  if (keyspace.w > keyspace.n) return refuse("w", keyspace.w, copies + "w or raise n");
  if (keyspace.record_bytes_max > limits::record_bytes_max)
    return refuse(
        "record_bytes_max", keyspace.record_bytes_max,
        "two of them must fit a frame; at most " + std::to_string(limits::record_bytes_max));
  if (keyspace.value_bytes_max > keyspace.record_bytes_max)
    return refuse("value_bytes_max", keyspace.value_bytes_max, "it is above record_bytes_max");
  return ok_status();
}

Result<std::vector<std::shared_ptr<const Keyspace>>> Settings::keyspaces(
    Registry& registry, std::string_view node) const {
  RW_TRY(load_plugins(registry));
  std::vector<std::shared_ptr<const Keyspace>> made;
  for (const std::string& name : keyspace_names()) {
    auto keyspace = make_keyspace(registry, name, node);
    if (!keyspace) return keyspace.error();
    made.push_back(std::move(*keyspace));
  }
  return made;
}

Status Settings::check_listeners() const {
  for (const std::string_view key : {"listen.client", "listen.peer", "listen.admin"}) {
    const std::string value = text(key);
    if (value.empty() && key == "listen.admin") continue;
    if (value.empty())
      return {Code::invalid, std::string(key) + " is empty: say where, like 127.0.0.1:7480"};
    if (flag("listen.insecure") || is_loopback_host(parse_address(value)->host)) continue;
    return {Code::invalid,
            std::string(key) + " = '" + value +
                "' can be reached from other machines, and there is neither authentication nor "
                "encryption yet: listen on 127.0.0.1 or [::1], or accept that with "
                "listen.insecure=true"};
  }
  return ok_status();
}

Status Settings::check_members() const {
  const std::string own = text("node.name");
  const std::vector<std::string> names = member_names();
  if (names.empty()) return ok_status();
  if (std::find(names.begin(), names.end(), own) == names.end())
    return {Code::invalid, "node.name = '" + own + "': there is no [member." + own +
                               "]; did you mean '" + nearest_name(own, names) + "'?"};
  for (const auto& [node_key, key] :
       {std::pair{"node.id", ".id"}, {"node.rack", ".rack"}, {"node.data_centre", ".data_centre"}})
    if (const std::string value = text(node_key);
        !value.empty() && value != text("member." + own + key))
      return {Code::invalid, std::string(node_key) + " = '" + value + "' and member." + own + key +
                                 " differ: write it there, in the files of all members"};
  std::map<NodeId, std::string> seen;
  for (const MemberSettings& known : members()) {
    const std::string section = "member." + known.member.name;
    const auto [at, is_new] = seen.emplace(known.member.id, section);
    if (!is_new)
      return {Code::invalid, section + " has the id of " + at->second + ": give it another"};
    if (known.member.name == own) continue;
    for (const auto& [key, value] : {std::pair{".client", known.client}, {".peer", known.peer}})
      if (value.empty() || parse_address(value)->port == 0)
        return {Code::invalid, section + key + " does not say where it is found: write host:port"};
  }
  return ok_status();
}

Status Settings::check_node() const {
  if (text("node.data_dir").empty())
    return {Code::invalid, "node.data_dir is not set: say where the node keeps its data"};
  RW_TRY(check_listeners());
  RW_TRY(check_members());
  const std::size_t members = std::max<std::size_t>(1, member_names().size());
  if (number("cluster.nodes") != members)
    return {Code::invalid,
            "cluster.nodes = " + text("cluster.nodes") + ", but there " +
                (members == 1 ? "is 1 member" : "are " + std::to_string(members) + " members") +
                ": leave it out, or describe each in a [member.<name>]"};
  return ok_status();
}

Status Settings::check(Registry& registry) const {
  const auto above = [&](std::string_view key, std::uint64_t most) {
    if (number(key) <= most) return ok_status();
    return Status{Code::invalid, std::string(key) + " = " + text(key) + ": at most " +
                                     std::to_string(most) + " is possible"};
  };
  RW_TRY(above("cluster.nodes", limits::local_nodes_max));
  RW_TRY(above("cluster.partitions", limits::partitions_max));
  RW_TRY(above("node.shards", limits::shards_max));
  RW_TRY(above("node.executor_threads", limits::executor_threads_max));
  if (duration("node.idle_poll") > limits::idle_poll_max)
    return {Code::invalid, "node.idle_poll = " + text("node.idle_poll") + ": at most " +
                               format_duration(limits::idle_poll_max) + " is possible"};
  if (number("cluster.partitions") < number("cluster.nodes"))
    return {Code::invalid, "cluster.partitions = " + text("cluster.partitions") +
                               ": every node needs one; raise it to cluster.nodes or above"};
  for (const std::string_view key :
       {"membership.ping_interval", "membership.suspect_after", "client.timeout"})
    if (duration(key) == 0) return {Code::invalid, std::string(key) + " must be above zero"};
  if (duration("membership.suspect_after") <= duration("membership.ping_interval"))
    return {Code::invalid,
            "membership.suspect_after must be above membership.ping_interval, else "
            "every node is suspected between two pings"};
  if (is_for_node_) RW_TRY(check_node());
  RW_TRY(check_overrides());
  // What other processes run need not be here.
  if (is_for_node_) return keyspaces(registry, text("node.name")).status();
  for (const std::string& node : node_names()) RW_TRY(keyspaces(registry, node).status());
  return ok_status();
}

std::vector<Settings::Entry> Settings::entries() const {
  std::vector<Entry> listed;
  const auto list = [&](const std::string& key, const Row* row) {
    const Value* const value = find(key);
    listed.push_back({key, row == nullptr ? value->text : text(key),
                      value == nullptr ? SettingOrigin::built_in : value->origin,
                      std::string(row == nullptr ? "an option of the engine" : row->description)});
  };
  for (const Row& row : rows) {
    const std::string section(row.section);
    const std::string key(row.key);
    if (!has_parts(section))
      list(section + "." + key, &row);
    else
      for (const std::string& name :
           key == engine_on ? std::vector<std::string>{} : part_names(section))
        list(section + "." + name + "." + key, &row);
  }
  for (const auto& [key, value] : values_) {
    const KeyParts parts = take_apart(key);
    if (parts.section == "engine") list(key, nullptr);
    if (!node_of_override(parts).empty()) list(key, find_row(key));
  }
  std::sort(listed.begin(), listed.end(),
            [](const Entry& left, const Entry& right) { return left.key < right.key; });
  return listed;
}

}  // namespace ringwright
