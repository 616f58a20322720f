#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/disk.h"
#include "engine/base/random.h"
#include "replication/shard/keyspace.h"
#include "replication/version/actor.h"

namespace ringwright {

// What a data directory says of itself. The file `MANIFEST` is text, a word or more on each line:
//
//   ringwright-data 1
//   node 6f0e1c1a-...                              (a UUID)
//   cluster local
//   partitioner hash
//   keyspace default memory siblings key-1         (name, engine stack, record kind, key format)
//   checksum 0123456789abcdef                      (XXH3-64 of all lines above)
//
// Keyspaces stand in the order of their names.
struct Manifest {
  static constexpr std::uint32_t format = 1;

  struct KeyspaceLine {
    std::string name;
    std::string engine;
    std::string record_kind;
    std::string key_format;
    friend bool operator==(const KeyspaceLine&, const KeyspaceLine&) = default;
  };

  NodeId node;
  std::string cluster;
  std::string partitioner = "hash";
  std::vector<KeyspaceLine> keyspaces;
  friend bool operator==(const Manifest&, const Manifest&) = default;
};
Bytes encode_manifest(const Manifest& manifest);
// `corrupt`: no manifest, or damaged; `mismatch`: of a newer format. `path` is for the message.
Result<Manifest> decode_manifest(ByteView bytes, const std::string& path);

// A node's directory, claimed for as long as this lives. The first opening draws the node's id,
// unless it is given.
class DataDirectory {
 public:
  struct Wanted {
    std::string cluster;
    std::vector<std::shared_ptr<const Keyspace>> keyspaces;
    std::optional<NodeId> node;  // the id that must be found; none: whatever is there
    bool may_create = false;     // an empty directory becomes that of `node`, not a mismatch
  };

  // `locked`, naming the holder; `mismatch`, in a sentence that says what to do, when the directory
  // was written by another node, cluster, engine, record kind or key format, in a newer format, or
  // by something else. A keyspace that the manifest lacks is added; one that is not wanted stays
  // there untouched. Nothing is changed on an error.
  static Result<DataDirectory> open(std::shared_ptr<Disk> disk, const Wanted& wanted,
                                    Random& random);

  NodeId node() const { return manifest_.node; }
  const std::shared_ptr<Disk>& disk() const { return disk_; }
  // The whole path, for people.
  std::string path() const { return disk_->real_path(""); }
  // Relative to the disk's root.
  static std::string engine_path(const Keyspace& keyspace) { return "keyspaces/" + keyspace.name; }
  static std::string system_path() { return "system"; }

 private:
  DataDirectory() = default;

  std::shared_ptr<Disk> disk_;
  std::unique_ptr<DirectoryLock> lock_;
  Manifest manifest_;
};

}  // namespace ringwright
