#include "plugins/wiredtiger/options.h"

#include <wiredtiger.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/limits.h"
#include "engine/base/nearest.h"
#include "plugins/wiredtiger/events.h"
#include "plugins/wiredtiger/file_system.h"

namespace ringwright {
namespace {

using NativeMap = std::map<std::string, std::string, std::less<>>;

constexpr std::string_view table_prefix = "table.";
constexpr std::string_view log_prefix = "log.";

struct ReservedOption {
  std::string_view name;
  std::string_view reason;
};

// Options that are the engine's own to set, because another value breaks what it promises.
constexpr std::string_view by_class = "the keyspace's durability class decides";
constexpr std::string_view own_directory = "the engine creates and keeps its own directory";
constexpr std::string_view raw_bytes = "keys and rows are bytes, in byte order";
constexpr std::string_view one_file = "rows lie in one B-tree";
constexpr std::array<ReservedOption, 45> reserved_options{{
    {"log", "write log.<option>; whether there is a log, the durability class decides"},
    {"log.enabled", by_class},
    {"log.recover", "the engine recovers what it opens"},
    {"log.archive", "the log would grow without bound"},
    {"log.path", own_directory},
    {"transaction_sync", by_class},
    {"checkpoint_sync", by_class},
    {"in_memory", by_class},
    {"create", own_directory},
    {"exclusive", own_directory},
    {"readonly", own_directory},
    {"salvage", "damage is repaired from other replicas, and must not go unnoticed"},
    {"multiprocess", own_directory},
    {"config_base", "what counts is this configuration"},
    {"use_environment", "what counts is this configuration"},
    {"use_environment_priv", "what counts is this configuration"},
    {"session_max", "the engine counts its sessions"},
    {"cache_cursors", "the engine keeps its cursors"},
    {"statistics", "pressure needs them"},
    {"verbose", "the engine follows checkpoints by their messages"},
    {"error_prefix", "the messages are in LOG"},
    {"compatibility", "the directory's format is the engine's"},
    {"encryption", "keys would have to be given at every open"},
    {"encryption.keyid", "keys would have to be given at every open"},
    {"shared_cache", "each engine has a cache of its own; write cache_size"},
    {"debug_mode", "it changes what a write does"},
    {"async", "the engine makes no such calls"},
    {"lsm_manager", one_file},
    {"table.key_format", raw_bytes},
    {"table.value_format", raw_bytes},
    {"table.collator", raw_bytes},
    {"table.columns", raw_bytes},
    {"table.colgroups", raw_bytes},
    {"table.extractor", raw_bytes},
    {"table.immutable", raw_bytes},
    {"table.type", one_file},
    {"table.lsm", one_file},
    {"table.source", one_file},
    {"table.exclusive", own_directory},
    {"table.log", by_class},
    {"table.checksum", "damage would go unnoticed"},
    {"table.app_metadata", "it is the engine's"},
    {"table.cache_resident", "it excludes eviction, and so an end of growth"},
    {"table.encryption", "keys would have to be given at every open"},
    {"table.assert", "it changes what a write does"},
}};

// For "did you mean": WiredTiger has no list of its options to ask for.
constexpr std::array<std::string_view, 20> connection_names{"buffer_alignment",
                                                            "builtin_extension_config",
                                                            "cache_max_wait_ms",
                                                            "cache_overflow",
                                                            "cache_overhead",
                                                            "cache_size",
                                                            "checkpoint",
                                                            "direct_io",
                                                            "eviction",
                                                            "eviction_checkpoint_target",
                                                            "eviction_dirty_target",
                                                            "eviction_dirty_trigger",
                                                            "eviction_target",
                                                            "eviction_trigger",
                                                            "extensions",
                                                            "file_extend",
                                                            "file_manager",
                                                            "io_capacity",
                                                            "mmap",
                                                            "operation_tracking"};
constexpr std::array<std::string_view, 2> more_connection_names{"statistics_log", "write_through"};
constexpr std::array<std::string_view, 5> log_names{"compressor", "file_max", "os_cache_dirty_pct",
                                                    "prealloc", "zero_fill"};
constexpr std::array<std::string_view, 22> table_names{"access_pattern_hint",
                                                       "allocation_size",
                                                       "block_allocation",
                                                       "block_compressor",
                                                       "dictionary",
                                                       "format",
                                                       "huffman_key",
                                                       "huffman_value",
                                                       "ignore_in_memory_cache_size",
                                                       "internal_key_max",
                                                       "internal_key_truncate",
                                                       "internal_page_max",
                                                       "leaf_key_max",
                                                       "leaf_page_max",
                                                       "leaf_value_max",
                                                       "memory_page_image_max",
                                                       "memory_page_max",
                                                       "os_cache_dirty_max",
                                                       "os_cache_max",
                                                       "prefix_compression",
                                                       "prefix_compression_min",
                                                       "split_pct"};

Status refuse(std::string_view name, std::string_view why) {
  std::string text = "option '" + std::string(name) + "' of engine wiredtiger: ";
  return {Code::invalid, text.append(why)};
}

std::string nearest_known(std::string_view name) {
  std::vector<std::string> all(connection_names.begin(), connection_names.end());
  all.insert(all.end(), more_connection_names.begin(), more_connection_names.end());
  for (const auto known : log_names) all.push_back(std::string(log_prefix).append(known));
  for (const auto known : table_names) all.push_back(std::string(table_prefix).append(known));
  std::sort(all.begin(), all.end());
  return nearest_name(name, all);
}

bool is_word_part(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c == '.' || c == '/' || c == '-';
}

// "64MiB" as "67108864"; anything that is not a whole number with such a unit stays as it is.
std::string in_bytes(std::string_view word) {
  constexpr std::array<std::pair<std::string_view, int>, 4> units{
      {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}}};
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), number);
  if (parsed.ec != std::errc()) return std::string(word);
  const auto unit = word.substr(static_cast<std::size_t>(parsed.ptr - word.data()));
  for (const auto& [name, shift] : units)
    if (unit == name && number <= UINT64_MAX >> shift) return std::to_string(number << shift);
  return std::string(word);
}

// Every word of a value, so that the parts of "(wait=60,log_size=64MiB)" may carry units too.
std::string with_sizes_in_bytes(std::string_view value) {
  std::string text;
  while (!value.empty()) {
    const auto end = std::find_if_not(value.begin(), value.end(), is_word_part);
    const auto size = static_cast<std::size_t>(end - value.begin());
    text += in_bytes(value.substr(0, size));
    value.remove_prefix(size);
    if (value.empty()) break;
    text.push_back(value.front());
    value.remove_prefix(1);
  }
  return text;
}

// The entries of a configuration, by WiredTiger's parser; none when it does not parse.
class Parsed {
 public:
  explicit Parsed(const std::string& text) {
    WT_CONFIG_PARSER* parser = nullptr;
    if (wiredtiger_config_parser_open(nullptr, text.data(), text.size(), &parser) != 0) return;
    int error = 0;
    WT_CONFIG_ITEM name{};
    WT_CONFIG_ITEM value{};
    while ((error = parser->next(parser, &name, &value)) == 0)
      entries_.emplace_back(std::string(name.str, name.len), value.val);
    if (error != WT_NOTFOUND) entries_.clear();
    parser->close(parser);
  }

  // Nothing but this entry: a value cannot smuggle another option in behind its own.
  bool is_one(std::string_view name) const {
    return entries_.size() == 1 && entries_.front().first == name;
  }
  std::optional<std::int64_t> number(std::string_view name) const {
    for (const auto& [known, value] : entries_)
      if (known == name) return value;
    return std::nullopt;
  }

 private:
  std::vector<std::pair<std::string, std::int64_t>> entries_;
};

// Parentheses and quotes are closed in their order. WiredTiger's parser, which has no session here,
// would complain to stderr of those that are not.
bool is_balanced(std::string_view value) {
  std::string open;
  bool quoted = false;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (quoted && c == '\\') ++i;
    if (c == '"') quoted = !quoted;
    if (quoted || c == '"') continue;
    if (c == '(' || c == '[') open.push_back(c);
    if (c != ')' && c != ']') continue;
    if (open.empty() || open.back() != (c == ')' ? '(' : '[')) return false;
    open.pop_back();
  }
  return !quoted && open.empty();
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

std::string joined(const NativeMap& entries) {
  std::string text;
  for (const auto& [name, value] : entries)
    text.append(text.empty() ? "" : ",").append(name).append("=").append(value);
  return text;
}

NativeMap connection_defaults() {
  const auto in_ms = [](Nanoseconds wait) { return std::to_string(wait / milliseconds(1)); };
  // Besides ours, WiredTiger has threads with a session each.
  constexpr std::size_t own_sessions = 64;
  return {{"create", "true"},
          {"use_environment", "false"},
          {"config_base", "false"},
          {"session_max", std::to_string(limits::wiredtiger_sessions_max + own_sessions)},
          {"statistics", "(fast)"},
          {"verbose", "[checkpoint]"},
          {"cache_size", std::to_string(std::uint64_t{128} << 20)},
          {"cache_max_wait_ms", in_ms(limits::wiredtiger_cache_wait)},
          {"eviction_dirty_target", "5"},
          {"eviction_dirty_trigger", "20"},
          {"eviction_target", "80"},
          {"eviction_trigger", "95"},
          // A read that fails must be an error, not a signal.
          {"mmap", "false"},
          {"checkpoint", "(wait=60,log_size=" + std::to_string(std::uint64_t{256} << 20) + ")"}};
}

class OptionsBuilder {
 public:
  Status apply(const std::string& name, const std::string& value) {
    for (const ReservedOption& reserved : reserved_options)
      if (reserved.name == name)
        return refuse(name, "not to be set: " + std::string(reserved.reason));
    if (name.starts_with(table_prefix))
      return add(name, name.substr(table_prefix.size()), value, Place::table);
    if (name.starts_with(log_prefix))
      return add(name, name.substr(log_prefix.size()), value, Place::log);
    return add(name, name, value, Place::connection);
  }

  WiredtigerOptions finish(Durability durability) {
    WiredtigerOptions options;
    take_checkpoints(options);
    take_cache(options);
    add_files();
    if (durability != Durability::none) {
      log_["enabled"] = "true";
      connection_["log"] = "(" + joined(log_) + ")";
      // A commit is in the system's hands before it can be seen.
      connection_["transaction_sync"] = "(enabled=true,method=none)";
    }
    table_["key_format"] = "u";
    table_["value_format"] = "u";
    options.connection = joined(connection_);
    options.table = joined(table_);
    return options;
  }

 private:
  enum class Place : unsigned char { connection, table, log };

  Status add(const std::string& name, const std::string& native, const std::string& value,
             Place place) {
    if (!is_plain_name(native)) return unknown(name);
    const std::string converted = with_sizes_in_bytes(value);
    const std::string entry = native + "=" + converted;
    if (!is_balanced(value) || !Parsed(entry).is_one(native))
      return refuse(name, "'" + value + "' is not one value as WiredTiger writes it");
    take_last_error();
    if (wiredtiger_config_validate(nullptr, quiet_events(),
                                   place == Place::table ? "WT_SESSION.create" : "wiredtiger_open",
                                   (place == Place::log ? "log=(" + entry + ")" : entry).c_str()) !=
        0)
      return refused_by_wiredtiger(name, native);
    map_of(place)[native] = converted;
    return ok_status();
  }

  static Status refused_by_wiredtiger(const std::string& name, const std::string& native) {
    const std::string said = take_last_error().said;
    const bool is_unknown = said.find("unknown configuration key: '" + native + "'") != said.npos;
    return is_unknown ? unknown(name) : refuse(name, said);
  }

  static Status unknown(const std::string& name) {
    return refuse(name, "unknown; did you mean '" + nearest_known(name) + "'?");
  }

  NativeMap& map_of(Place place) {
    if (place == Place::table) return table_;
    return place == Place::log ? log_ : connection_;
  }

  // Checkpoints are made by the engine's own thread, under WiredTiger's name for them.
  void take_checkpoints(WiredtigerOptions& options) {
    std::string value = connection_["checkpoint"];
    connection_.erase("checkpoint");
    if (value.starts_with('(')) value = value.substr(1, value.size() - 2);
    const Parsed parsed(value);
    options.checkpoint_wait = seconds(parsed.number("wait").value_or(0));
    options.checkpoint_bytes = static_cast<std::uint64_t>(parsed.number("log_size").value_or(0));
  }

  void take_cache(WiredtigerOptions& options) {
    const std::uint64_t size = number("cache_size");
    // Up to a hundred it is a share in percent.
    const auto bytes = [&](const char* name) {
      const std::uint64_t given = number(name);
      return given <= 100 ? size / 100 * given : given;
    };
    options.cache_target = bytes("eviction_target");
    options.cache_trigger = bytes("eviction_trigger");
    options.dirty_target = bytes("eviction_dirty_target");
    options.dirty_trigger = bytes("eviction_dirty_trigger");
  }

  // The extension that brings the engine's files, before those that a user asks for.
  void add_files() {
    std::string& extensions = connection_["extensions"];
    const std::size_t first = extensions.find_first_not_of(" \t\r\n");
    const std::size_t last = extensions.find_last_not_of(" \t\r\n");
    extensions = first == std::string::npos ? "" : extensions.substr(first, last - first + 1);
    constexpr std::string_view opening = "[({";
    if (!extensions.empty() && opening.find(extensions.front()) != std::string_view::npos)
      extensions = extensions.substr(1, extensions.size() - 2);
    extensions = "[" + FileSystem::extension() + (extensions.empty() ? "" : ",") + extensions + "]";
  }

  std::uint64_t number(const std::string& name) {
    const auto found = Parsed(name + "=" + connection_[name]).number(name);
    return found ? static_cast<std::uint64_t>(*found) : 0;
  }

  NativeMap connection_ = connection_defaults();
  NativeMap log_{{"file_max", std::to_string(std::uint64_t{64} << 20)}};
  NativeMap table_;
};

}  // namespace

Result<WiredtigerOptions> make_wiredtiger_options(const EngineOptions& wanted,
                                                  Durability durability) {
  OptionsBuilder builder;
  for (const auto& [name, value] : wanted) RW_TRY(builder.apply(name, value));
  return builder.finish(durability);
}

}  // namespace ringwright
