#include "replication/runtime/data_directory.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <utility>

#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "replication/config/node_id.h"
#include "replication/version/record.h"

namespace ringwright {
namespace {

constexpr std::string_view magic = "ringwright-data";
constexpr std::string_view manifest_name = "MANIFEST";
// What the rows' keys look like: storage_key.h.
constexpr std::string_view key_format = "key-1";

std::string checksum_of(ByteView text) {
  char hex[17];
  std::snprintf(hex, sizeof(hex), "%016llx", static_cast<unsigned long long>(hash64(text)));
  return hex;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == text.npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// One line of the body; false when it is malformed.
bool read_line(std::string_view line, Manifest& manifest) {
  const auto words = split(line, ' ');
  if (words[0] == "keyspace" && words.size() == 5) {
    manifest.keyspaces.push_back({std::string(words[1]), std::string(words[2]),
                                  std::string(words[3]), std::string(words[4])});
    return true;
  }
  if (words.size() != 2) return false;
  if (words[0] == "cluster")
    manifest.cluster = words[1];
  else if (words[0] == "partitioner")
    manifest.partitioner = words[1];
  else if (const auto id = parse_node_id(words[1]); words[0] == "node" && id)
    manifest.node = *id;
  else
    return false;
  return true;
}

Manifest::KeyspaceLine line_of(const Keyspace& keyspace) {
  std::string engine = keyspace.engine;
  std::erase(engine, ' ');
  return {keyspace.name, engine, std::string(record_kind_name(keyspace.kind())),
          std::string(key_format)};
}

Status refuse(const std::string& path, const std::string& what, const std::string& advice) {
  return {Code::mismatch, path + " " + what + ": " + advice};
}

Status check_keyspace(const Manifest::KeyspaceLine& found, const Manifest::KeyspaceLine& wanted,
                      const std::string& path) {
  const std::string keyspace = "keyspace '" + wanted.name + "' ";
  const std::string choose = ", or choose another directory";
  if (found.engine != wanted.engine)
    return refuse(path,
                  "was written by engine '" + found.engine + "' for " + keyspace + "and not by '" +
                      wanted.engine + "'",
                  "set keyspace." + wanted.name + ".engine=" + found.engine + choose);
  if (found.record_kind != wanted.record_kind)
    return refuse(path,
                  "holds " + keyspace + "with records of kind '" + found.record_kind +
                      "' and not '" + wanted.record_kind + "'",
                  "use a resolver of that kind" + choose);
  if (found.key_format != wanted.key_format)
    return refuse(path, "holds " + keyspace + "with keys of format '" + found.key_format + "'",
                  "open it with the version that wrote it" + choose);
  return ok_status();
}

Status check_manifest(const Manifest& found, const DataDirectory::Wanted& wanted,
                      const std::string& path) {
  if (found.cluster != wanted.cluster)
    return refuse(path,
                  "belongs to cluster '" + found.cluster + "' and not to '" + wanted.cluster + "'",
                  "set cluster.name=" + found.cluster + ", or choose another directory");
  if (wanted.node && found.node != *wanted.node)
    return refuse(
        path, "belongs to node " + to_string(found.node) + " and not to " + to_string(*wanted.node),
        "give each node a directory of its own" +
            (wanted.may_create ? ", or name the id of this one in node.id or [member.<name>]"
                               : std::string()));
  if (found.partitioner != "hash")
    return refuse(path, "is laid out by partitioner '" + found.partitioner + "'",
                  "open it with the version that wrote it, or choose another directory");
  for (const auto& keyspace : wanted.keyspaces)
    for (const auto& line : found.keyspaces)
      if (line.name == keyspace->name) RW_TRY(check_keyspace(line, line_of(*keyspace), path));
  return ok_status();
}

// Whether a keyspace had to be added.
bool add_missing(const std::vector<std::shared_ptr<const Keyspace>>& keyspaces,
                 Manifest& manifest) {
  const std::size_t before = manifest.keyspaces.size();
  for (const auto& keyspace : keyspaces) {
    const bool known = std::any_of(manifest.keyspaces.begin(), manifest.keyspaces.end(),
                                   [&](const auto& line) { return line.name == keyspace->name; });
    if (!known) manifest.keyspaces.push_back(line_of(*keyspace));
  }
  std::sort(manifest.keyspaces.begin(), manifest.keyspaces.end(),
            [](const auto& left, const auto& right) { return left.name < right.name; });
  return manifest.keyspaces.size() != before;
}

}  // namespace

Bytes encode_manifest(const Manifest& manifest) {
  Bytes text(magic);
  text += " " + std::to_string(Manifest::format) + "\n";
  text += "node " + to_string(manifest.node) + "\n";
  text += "cluster " + manifest.cluster + "\n";
  text += "partitioner " + manifest.partitioner + "\n";
  for (const auto& line : manifest.keyspaces)
    text += "keyspace " + line.name + " " + line.engine + " " + line.record_kind + " " +
            line.key_format + "\n";
  return text + "checksum " + checksum_of(text) + "\n";
}

Result<Manifest> decode_manifest(ByteView bytes, const std::string& path) {
  const Status damaged{Code::corrupt, path +
                                          " is damaged: restore it from a copy, or move the "
                                          "directory away and let the node start empty"};
  if (bytes.size() > limits::manifest_bytes_max || !bytes.ends_with('\n')) return damaged;
  const auto lines = split(bytes.substr(0, bytes.size() - 1), '\n');
  const auto head = split(lines[0], ' ');
  std::uint32_t format = 0;
  if (head.size() != 2 || head[0] != magic) return damaged;
  std::from_chars(head[1].data(), head[1].data() + head[1].size(), format);
  // Before the checksum: a newer format may keep it elsewhere.
  if (format > Manifest::format)
    return refuse(path,
                  "has format " + std::string(head[1]) + " and this version knows up to " +
                      std::to_string(Manifest::format),
                  "open it with a newer version");
  const auto at = bytes.rfind("checksum ");
  if (format != Manifest::format || lines.size() < 2 || at == bytes.npos ||
      lines.back() != "checksum " + checksum_of(bytes.substr(0, at)))
    return damaged;
  Manifest manifest;
  for (std::size_t i = 1; i + 1 < lines.size(); ++i)
    if (!read_line(lines[i], manifest)) return damaged;
  return manifest;
}

Result<DataDirectory> DataDirectory::open(std::shared_ptr<Disk> disk, const Wanted& wanted,
                                          Random& random) {
  DataDirectory directory;
  directory.disk_ = std::move(disk);
  Disk& files = *directory.disk_;
  const std::string path = directory.path();
  const std::string file(manifest_name);
  RW_TRY(files.make_directories(""));
  auto lock = files.lock("");
  if (!lock) return lock.error();
  directory.lock_ = std::move(*lock);

  const auto exists = files.exists(file);
  if (!exists) return exists.error();
  bool changed = false;
  if (*exists) {
    const auto bytes = files.read(file);
    if (!bytes) return bytes.error();
    auto found = decode_manifest(*bytes, path.empty() ? file : path + "/" + file);
    if (!found) return found.error();
    RW_TRY(check_manifest(*found, wanted, path));
    directory.manifest_ = std::move(*found);
  } else {
    const auto others = files.list("");
    if (!others) return others.error();
    if (!others->empty())
      return refuse(path, "holds '" + others->front() + "' but no " + file,
                    "choose an empty directory, or restore the " + file);
    if (wanted.node && !wanted.may_create)
      return refuse(path, "is empty and not that of node " + to_string(*wanted.node),
                    "bring its directory back, or replace the node");
    directory.manifest_.node = wanted.node ? *wanted.node : NodeId{random.next(), random.next()};
    directory.manifest_.cluster = wanted.cluster;
    changed = true;
  }
  if (add_missing(wanted.keyspaces, directory.manifest_)) changed = true;
  if (changed) RW_TRY(files.replace(file, encode_manifest(directory.manifest_)));
  return directory;
}

}  // namespace ringwright
