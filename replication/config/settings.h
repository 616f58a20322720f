#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/status.h"
#include "engine/base/time.h"
#include "replication/shard/keyspace.h"

namespace ringwright {

class Registry;

// Where a value comes from; a later one outranks an earlier one, in whatever order they are added.
enum class SettingOrigin : std::uint8_t { built_in = 0, file = 1, environment = 2, set = 3 };
std::string_view setting_origin_name(SettingOrigin origin);

// The configuration of a node or of a cluster in one process: one flat table `section.key` ->
// value.
//
//   [cluster]          name, partitions, nodes
//   [node]             data_dir, shards, rack, data_centre, executor_threads
//   [keyspace.<name>]  engine, n, r, w, resolver, sloppy, fan_out, durability, ttl,
//                      value_bytes_max, record_bytes_max, siblings_max
//   [engine.<name>]    options of that engine, passed through untouched
//   [transport]        kind
//   [membership]       ping_interval, suspect_after
//   [client]           timeout, retries
//
// Every value is checked against its type when it is added; how values fit together is checked by
// `check`. There is always the keyspace `default`; naming any key of another one creates it. What a
// keyspace leaves out it takes from the built-in values, not from `default`; of n that is 3 or, if
// there are fewer, the number of nodes, of r and w a majority of n.
//
// Threads: as a value; copy it to share it. An error leaves the table as it was.
class Settings {
 public:
  using Values = std::map<std::string, std::string, std::less<>>;

  // Built-in values only.
  Settings();

  // `source` names the text in messages ("ringwright.toml").
  Status add_toml(std::string_view text, std::string_view source);
  // Flat keys, "keyspace.default.n" -> "3"; ranks as a file does.
  Status add_values(const Values& values);
  // Variables RINGWRIGHT_SECTION__KEY, with `__` for a dot: RINGWRIGHT_KEYSPACE__CARTS__N=2. Names
  // become lower case. Other variables, RINGWRIGHT_ ones without `__` included, are left alone.
  Status add_environment(const Values& variables);
  // "section.key=value"; outranks everything else.
  Status set(std::string_view assignment);
  Status set(std::string_view key, std::string_view value,
             SettingOrigin origin = SettingOrigin::set);

  // How the values fit together: r and w within n, n within the nodes, n at most
  // limits::replicas_max, known engines and resolvers. The message says what to do.
  Status check(Registry& registry) const;

  // The value of a key of the table, as its type; the key must exist and have that type.
  std::string text(std::string_view key) const;
  std::uint64_t number(std::string_view key) const;
  bool flag(std::string_view key) const;
  Nanoseconds duration(std::string_view key) const;

  // Names, sorted.
  std::vector<std::string> keyspace_names() const;
  // As `[engine.<name>]` says; for a stack "faulty(memory)" that of the innermost engine.
  EngineOptions engine_options(std::string_view engine) const;
  // Checks, then makes the keyspaces in the order of their names, which is their engines' order,
  // with their resolvers found in the registry.
  Result<std::vector<std::shared_ptr<const Keyspace>>> keyspaces(Registry& registry) const;

  struct Entry {
    std::string key;
    std::string value;
    SettingOrigin origin = SettingOrigin::built_in;
    std::string description;
  };
  // All of them with what they are worth now, sorted by key.
  std::vector<Entry> entries() const;

 private:
  struct Value {
    std::string text;
    SettingOrigin origin = SettingOrigin::built_in;
  };

  Status add(std::string_view key, std::string_view value, SettingOrigin origin);
  // All or none.
  Status add_all(const Values& values, SettingOrigin origin, const std::string& source);
  const Value* find(std::string_view key) const;
  Result<std::shared_ptr<const Keyspace>> make_keyspace(Registry& registry,
                                                        const std::string& name) const;
  Status check_counts(const Keyspace& keyspace) const;

  std::map<std::string, Value, std::less<>> values_;  // what is not here is built in
};

}  // namespace ringwright
