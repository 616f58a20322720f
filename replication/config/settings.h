#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/status.h"
#include "engine/base/time.h"
#include "replication/ring/member.h"
#include "replication/shard/keyspace.h"

namespace ringwright {

class Registry;

// Where a value comes from; a later one outranks an earlier one, in whatever order they are added.
enum class SettingOrigin : std::uint8_t { built_in = 0, file = 1, environment = 2, set = 3 };
std::string_view setting_origin_name(SettingOrigin origin);

// One member as a node's configuration knows it.
struct MemberSettings {
  Member member;       // with its id: the given one, or else `derived_node_id`
  std::string client;  // where it is found; empty only for the node itself
  std::string peer;
};

// The configuration of a node or of a cluster in one process: one flat table `section.key` ->
// value; docs/configuration.md describes every key.
//
//   [cluster]          name, partitions, nodes
//   [node]             name, id, data_dir, shards, rack, data_centre, executor_threads
//   [listen]           client, peer, admin, insecure
//   [member.<name>]    client, peer, id, rack, data_centre, weight
//   [keyspace.<name>]  engine, engine_on.<node>, n, r, w, resolver, sloppy, fan_out, durability,
//   ttl,
//                      value_bytes_max, record_bytes_max, siblings_max
//   [engine.<name>]    options of that engine or decorator, passed through untouched
//   [transport]        kind
//   [plugins]          path, load
//   [membership]       ping_interval, suspect_after
//   [client]           timeout, retries
//   [dev]              faults
//   [log]              format, level
//
// Every value is checked against its type when it is added; how values fit together is checked by
// `check`. There is always the keyspace `default`; naming any key of another one creates it. What a
// keyspace leaves out it takes from the built-in values, not from `default`; of n that is 3 or, if
// there are fewer, the number of nodes, of r and w a majority of n. The table is first of all that
// of a cluster in one process; `for_node` makes that of a node.
//
// Threads: as a value; copy it to share it. An error leaves the table as it was.
class Settings {
 public:
  using Values = std::map<std::string, std::string, std::less<>>;

  // Built-in values only.
  Settings();
  // The same values for a node that is a process of its own: some built-in values are others
  // (transport.kind is `thrift`, a keyspace's durability `disk`), cluster.nodes is the number of
  // members, and `check` also looks at [node], [listen] and [member.*].
  Settings for_node() const;

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

  // Loads the plugins; then how the values fit together: r and w within n, n within the nodes, n at
  // most limits::replicas_max, known engines and resolvers; of a node also that it is one of the
  // members and has a data directory, that all members can be found, and that no listener is open
  // to other machines unless listen.insecure says so. The message says what to do.
  Status check(Registry& registry) const;

  // The value of a key of the table, as its type; the key must exist and have that type.
  std::string text(std::string_view key) const;
  std::uint64_t number(std::string_view key) const;
  bool flag(std::string_view key) const;
  Nanoseconds duration(std::string_view key) const;

  // Names, sorted.
  std::vector<std::string> keyspace_names() const;
  std::vector<std::string> member_names() const;
  // In the order of their names; without any [member.*] the node alone.
  std::vector<MemberSettings> members() const;
  // As `[engine.<name>]` says. Of a stack "slow(memory)" as its `open` takes them: those of the
  // innermost engine, and those of each decorator under its name ("slow.read_latency").
  EngineOptions engine_options(std::string_view engine) const;
  // Adds the folders of `plugins.path` to the registry and loads the plugins of `plugins.load`.
  // Both stay for as long as the registry; again it does nothing.
  Status load_plugins(Registry& registry) const;
  // Loads the plugins, checks, then makes the keyspaces in the order of their names, which is their
  // engines' order, with their resolvers found in the registry; with the engines that `node` has
  // (empty: those of nodes about which nothing is said).
  Result<std::vector<std::shared_ptr<const Keyspace>>> keyspaces(Registry& registry,
                                                                 std::string_view node) const;

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
  Result<std::shared_ptr<const Keyspace>> make_keyspace(Registry& registry, const std::string& name,
                                                        std::string_view node) const;
  std::string engine_of(const std::string& keyspace, std::string_view node) const;
  // Of the cluster: node1 and so on, or the members.
  std::vector<std::string> node_names() const;
  Status check_overrides() const;
  Status check_counts(const Keyspace& keyspace) const;
  Status check_node() const;
  Status check_listeners() const;
  Status check_members() const;
  // Names of the section's parts, sorted: [section.<name>].
  std::vector<std::string> part_names(std::string_view section) const;

  std::map<std::string, Value, std::less<>> values_;  // what is not here is built in
  bool is_for_node_ = false;
};

}  // namespace ringwright
