#include "replication/history/history.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace ringwright {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kind_names[] = {"get", "put", "del"};
constexpr std::string_view type_names[] = {"ok", "fail", "info"};

bool is_text(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

std::string hex_of(std::uint64_t value) {
  Bytes raw;
  put_u64_big_endian(raw, value);
  return to_hex(raw);
}

Bytes from_hex(std::string_view text) {
  Bytes out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    unsigned byte = 0;
    std::from_chars(text.data() + i, text.data() + i + 2, byte, 16);
    out.push_back(static_cast<char>(byte));
  }
  return out;
}

std::uint64_t u64_from_hex(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return value;
}

void put_text(Json& object, const std::string& name, const Bytes& bytes) {
  if (is_text(bytes))
    object[name] = bytes;
  else
    object[name + "_hex"] = to_hex(bytes);
}

Bytes take_text(const Json& object, const std::string& name) {
  if (object.contains(name)) return object[name].get<std::string>();
  return from_hex(object.value(name + "_hex", std::string()));
}

Json json_of(const Dot& dot, Timestamp stamp) {
  return {{"node", hex_of(dot.actor.node.high) + hex_of(dot.actor.node.low)},
          {"start", hex_of(dot.actor.start)},
          {"birth", dot.actor.birth},
          {"counter", dot.counter},
          {"stamp", stamp}};
}

std::pair<Dot, Timestamp> dot_from(const Json& object) {
  const std::string node = object.at("node");
  Dot dot;
  dot.actor.node = {u64_from_hex(std::string_view(node).substr(0, 16)),
                    u64_from_hex(std::string_view(node).substr(16))};
  dot.actor.start = u64_from_hex(object.at("start").get<std::string>());
  dot.actor.birth = object.at("birth");
  dot.counter = object.at("counter");
  return {dot, object.at("stamp").get<Timestamp>()};
}

Json json_of(const HistoryOperation& operation) {
  Json line = {{"id", operation.id},
               {"client", operation.client},
               {"session", operation.session},
               {"kind", operation_kind_name(operation.kind)},
               {"r", operation.r},
               {"w", operation.w},
               {"n", operation.n},
               {"invoke_t", operation.invoke_t},
               {"type", type_names[static_cast<std::size_t>(operation.outcome)]},
               {"code", static_cast<unsigned>(operation.code)},
               {"coord", operation.coordinator}};
  put_text(line, "key", operation.key);
  if (operation.kind == OperationKind::put) put_text(line, "value", operation.value);
  if (operation.return_t != never) line["return_t"] = operation.return_t;
  if (operation.context_in) line["ctx_in"] = to_hex(encode(*operation.context_in));
  if (operation.context_out) line["ctx_out"] = to_hex(encode(*operation.context_out));
  for (const auto& event : operation.events)
    line["dots"].push_back(json_of(event.dot, event.stamp));
  for (const ShownSibling& sibling : operation.read) {
    line["read"].push_back(json_of(sibling.dot, sibling.stamp));
    put_text(line["read"].back(), "value", sibling.value);
  }
  return line;
}

std::optional<Context> context_from(const Json& line, const char* name) {
  if (!line.contains(name)) return std::nullopt;
  auto context = decode_context(from_hex(line[name].get<std::string>()));
  return context ? std::optional<Context>(std::move(*context)) : std::nullopt;
}

template <typename Names>
std::size_t index_of(const Names& names, const std::string& name) {
  return static_cast<std::size_t>(std::find(std::begin(names), std::end(names), name) -
                                  std::begin(names));
}

// What is missing stands at its default; what is of a wrong type is refused before by `is_line`.
HistoryOperation operation_from(const Json& line) {
  HistoryOperation operation;
  operation.id = line.at("id");
  operation.client = line.at("client");
  operation.session = line.value("session", 0U);
  operation.kind = static_cast<OperationKind>(index_of(kind_names, line.at("kind")));
  operation.key = take_text(line, "key");
  operation.value = take_text(line, "value");
  operation.r = line.value("r", 0U);
  operation.w = line.value("w", 0U);
  operation.n = line.value("n", 0U);
  operation.invoke_t = line.at("invoke_t");
  operation.return_t = line.value("return_t", never);
  operation.outcome = static_cast<Outcome>(index_of(type_names, line.at("type")));
  operation.code = static_cast<Code>(line.value("code", 0U));
  operation.coordinator = line.value("coord", std::string());
  operation.context_in = context_from(line, "ctx_in");
  operation.context_out = context_from(line, "ctx_out");
  for (const Json& dot : line.value("dots", Json::array())) {
    const auto [named, stamp] = dot_from(dot);
    operation.events.push_back({named, stamp});
  }
  for (const Json& sibling : line.value("read", Json::array())) {
    const auto [named, stamp] = dot_from(sibling);
    operation.read.push_back({take_text(sibling, "value"), named, stamp});
  }
  return operation;
}

bool is_unsigned(const Json& line, const char* name) {
  return line.contains(name) && line[name].is_number_unsigned();
}
bool is_string(const Json& line, const char* name) {
  return line.contains(name) && line[name].is_string();
}

bool is_event(const Json& object) {
  return object.is_object() && is_string(object, "node") && is_string(object, "start") &&
         object["node"].get_ref<const std::string&>().size() == 32 &&
         is_unsigned(object, "birth") && is_unsigned(object, "counter") &&
         is_unsigned(object, "stamp") && (!object.contains("value") || object["value"].is_string());
}

bool is_event_list(const Json& line, const char* name) {
  if (!line.contains(name)) return true;
  return line[name].is_array() && std::all_of(line[name].begin(), line[name].end(), is_event);
}

bool is_line(const Json& line) {
  if (!line.is_object()) return false;
  for (const char* name : {"session", "r", "w", "n", "code"})
    if (line.contains(name) && !line[name].is_number_unsigned()) return false;
  for (const char* name : {"key", "key_hex", "value", "value_hex", "coord", "ctx_in", "ctx_out"})
    if (line.contains(name) && !line[name].is_string()) return false;
  return is_unsigned(line, "id") && is_unsigned(line, "client") && is_string(line, "kind") &&
         index_of(kind_names, line["kind"]) < std::size(kind_names) && is_string(line, "type") &&
         index_of(type_names, line["type"]) < std::size(type_names) && line.contains("invoke_t") &&
         line["invoke_t"].is_number_integer() &&
         (!line.contains("return_t") || line["return_t"].is_number_integer()) &&
         is_event_list(line, "dots") && is_event_list(line, "read");
}

}  // namespace

std::string_view operation_kind_name(OperationKind kind) {
  return kind_names[static_cast<std::size_t>(kind)];
}

std::string to_json_lines(const History& history) {
  std::string text;
  for (const HistoryOperation& operation : history) text += json_of(operation).dump() + "\n";
  return text;
}

Result<History> parse_json_lines(std::string_view text) {
  History history;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view raw = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), raw.size() + 1));
    if (raw.empty()) continue;
    const Json line = Json::parse(raw, nullptr, false);
    if (!is_line(line))
      return Status{Code::invalid,
                    "line " + std::to_string(number) + " is not an operation of a history"};
    history.push_back(operation_from(line));
  }
  return history;
}

}  // namespace ringwright
