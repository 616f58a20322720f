#include "tests/durability/durable_image.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <unordered_map>
#include <utility>

#include "tests/durability/power_disk.h"

namespace ringwright::durability {
namespace {

namespace fs = std::filesystem;
using Node = DurableImage::Node;
using NodePointer = std::shared_ptr<Node>;
using Kind = PowerRecord::Kind;

constexpr std::uint64_t page_bytes = 4096;

Status failed(const std::string& what, const std::string& path) {
  return {Code::io_error, what + " " + path};
}

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// Computes one loss of power from the records of one process.
class Replay {
 public:
  explicit Replay(const NodePointer& root) : root_(root) {}

  Status run(const std::string& journal) {
    for (std::size_t at = 0; at + sizeof(PowerRecord) <= journal.size();) {
      PowerRecord head;
      std::memcpy(&head, journal.data() + at, sizeof(head));
      if (head.magic != PowerRecord::magic_value) return {Code::corrupt, "not a power journal"};
      if (head.bytes > journal.size() - at - sizeof(head)) break;  // cut short: did not happen
      RW_TRY(apply(at, head, journal.substr(at + sizeof(head), head.bytes)));
      at += sizeof(head) + head.bytes;
    }
    return ok_status();
  }

  Status survive(const std::string& live_root, Random& random, double share) {
    const std::size_t kept = share == 0 ? 0 : random.below(changes_.size() + 1);
    for (std::size_t i = 0; i < kept; ++i) commit(changes_[i]);
    std::map<std::uint64_t, std::string> paths;
    find_paths(live_root_id_, live_root, paths);
    for (const auto& [id, writes] : writes_) {
      const auto path = paths.find(id);
      if (path == paths.end()) continue;  // removed: nobody knows its last bytes any more
      const auto live = read_file(path->second);
      // Killed between a rename and its record: the name has gone, and its bytes count as lost.
      if (!live) continue;
      for (const Write& write : writes) keep_pages(node(id).content, *live, write, random, share);
    }
    return ok_status();
  }

 private:
  // A change of names or of a size that does not rest yet.
  struct Change {
    std::uint64_t position = 0;
    PowerRecord head;
    std::string from_name;
    std::string name;
  };
  struct Write {
    std::uint64_t position = 0;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
  };

  Node& node(std::uint64_t id) { return *nodes_.at(id); }

  Status apply(std::uint64_t position, const PowerRecord& head, const std::string& payload) {
    switch (head.kind) {
      case Kind::node:
        return note_found(head, payload);
      case Kind::enter:
        if (!nodes_.contains(head.a)) {
          nodes_[head.a] = std::make_shared<Node>();
          node(head.a).is_directory = head.b != 0;
        }
        live_[head.id][payload] = head.a;
        changes_.push_back({position, head, {}, payload});
        break;
      case Kind::leave:
        live_[head.id].erase(payload);
        changes_.push_back({position, head, {}, payload});
        break;
      case Kind::move: {
        const std::size_t end = payload.find('\0');
        Change change{position, head, payload.substr(0, end), payload.substr(end + 1)};
        live_[head.id].erase(change.from_name);
        live_[head.a][change.name] = head.b;
        changes_.push_back(std::move(change));
        break;
      }
      case Kind::wrote:
        writes_[head.id].push_back({position, head.a, head.b});
        break;
      case Kind::resized:
        changes_.push_back({position, head, {}, {}});
        break;
      case Kind::early:
        put(node(head.id).content, head.a, payload);
        break;
      case Kind::file_synced:
        return sync_file(head, payload);
      case Kind::folder_synced:
        sync_folder(head);
        break;
      case Kind::forgotten:
        forget(head);
        break;
    }
    return ok_status();
  }

  // Directories come before what they hold.
  Status note_found(const PowerRecord& head, const std::string& path) {
    NodePointer at = root_;
    std::uint64_t folder = live_root_id_;
    for (const fs::path& part : fs::path(path)) {
      const auto entry = at->entries.find(part.string());
      if (entry == at->entries.end())
        return {Code::invalid, "the image does not hold '" + path + "'"};
      folder = ids_.at(at.get());
      at = entry->second;
    }
    if (path.empty())
      live_root_id_ = head.id;
    else
      live_[folder][fs::path(path).filename().string()] = head.id;
    ids_[at.get()] = head.id;
    nodes_[head.id] = at;
    return ok_status();
  }

  static void put(std::string& content, std::uint64_t offset, std::string_view bytes) {
    if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size());
    content.replace(offset, bytes.size(), bytes);
  }

  Status sync_file(const PowerRecord& head, const std::string& payload) {
    std::string& content = node(head.id).content;
    content.resize(head.a);
    for (std::size_t at = 0; at < payload.size();) {
      std::uint64_t numbers[2];
      if (payload.size() - at < sizeof(numbers)) return {Code::corrupt, "a torn piece"};
      std::memcpy(numbers, payload.data() + at, sizeof(numbers));
      at += sizeof(numbers);
      put(content, numbers[0], std::string_view(payload).substr(at, numbers[1]));
      at += numbers[1];
    }
    forget(head);
    return ok_status();
  }

  // What a sync covers rests now, or after a failed one never will.
  void forget(const PowerRecord& head) {
    std::erase_if(writes_[head.id], [&](const Write& write) { return write.position < head.b; });
    std::erase_if(changes_, [&](const Change& change) {
      return change.head.kind == Kind::resized && change.head.id == head.id &&
             change.position < head.b;
    });
  }

  void sync_folder(const PowerRecord& head) {
    std::vector<Change> left;
    for (Change& change : changes_) {
      const bool is_move = change.head.kind == Kind::move;
      const bool is_here = change.head.kind != Kind::resized &&
                           (change.head.id == head.id || (is_move && change.head.a == head.id));
      if (is_here && change.position < head.b)
        commit(change);
      else
        left.push_back(std::move(change));
    }
    changes_ = std::move(left);
  }

  void commit(const Change& change) {
    const PowerRecord& head = change.head;
    if (head.kind == Kind::enter) node(head.id).entries[change.name] = nodes_.at(head.a);
    if (head.kind == Kind::leave) node(head.id).entries.erase(change.name);
    if (head.kind == Kind::resized) node(head.id).content.resize(head.a);
    if (head.kind != Kind::move) return;
    node(head.id).entries.erase(change.from_name);
    node(head.a).entries[change.name] = nodes_.at(head.b);
  }

  void find_paths(std::uint64_t folder, const std::string& path,
                  std::map<std::uint64_t, std::string>& paths) {
    for (const auto& [name, id] : live_[folder]) {
      paths[id] = path + "/" + name;
      if (node(id).is_directory) find_paths(id, path + "/" + name, paths);
    }
  }

  static void keep_pages(std::string& content, const std::string& live, const Write& write,
                         Random& random, double share) {
    const std::uint64_t end = std::min<std::uint64_t>(write.offset + write.size, live.size());
    for (std::uint64_t first = write.offset; first < end;) {
      const std::uint64_t next = std::min(end, (first / page_bytes + 1) * page_bytes);
      if (random.chance(share))
        put(content, first, std::string_view(live).substr(first, next - first));
      first = next;
    }
  }

  const NodePointer& root_;
  std::unordered_map<std::uint64_t, NodePointer> nodes_;
  std::unordered_map<const Node*, std::uint64_t> ids_;
  std::vector<Change> changes_;
  std::map<std::uint64_t, std::vector<Write>> writes_;
  // Names as the process saw them last.
  std::unordered_map<std::uint64_t, std::map<std::string, std::uint64_t>> live_;
  std::uint64_t live_root_id_ = 0;
};

Status read_node(const fs::path& path, Node& node) {
  if (!node.is_directory) {
    auto content = read_file(path.string());
    if (!content) return failed("cannot read", path.string());
    node.content = std::move(*content);
    return ok_status();
  }
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(path, error)) {
    const auto below = std::make_shared<Node>();
    below->is_directory = entry.is_directory();
    RW_TRY(read_node(entry.path(), *below));
    node.entries[entry.path().filename().string()] = below;
  }
  return error ? failed("cannot list", path.string()) : ok_status();
}

Status write_node(const Node& node, const std::string& path,
                  std::unordered_map<const Node*, std::string>& written) {
  if (node.is_directory) {
    std::error_code error;
    fs::create_directory(path, error);
    if (error) return failed("cannot create", path);
    for (const auto& [name, entry] : node.entries)
      RW_TRY(write_node(*entry, path + "/" + name, written));
    return ok_status();
  }
  const auto [at, is_first] = written.emplace(&node, path);
  if (!is_first) {
    std::error_code error;
    fs::create_hard_link(at->second, path, error);
    return error ? failed("cannot link", path) : ok_status();
  }
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(node.content.data(), static_cast<std::streamsize>(node.content.size()));
  file.close();
  return file ? ok_status() : failed("cannot write", path);
}

}  // namespace

DurableImage::DurableImage() : root_(std::make_shared<Node>()) { root_->is_directory = true; }

Status DurableImage::read_from(const std::string& root) {
  root_ = std::make_shared<Node>();
  root_->is_directory = true;
  return read_node(root, *root_);
}

Status DurableImage::write_to(const std::string& root) const {
  std::error_code error;
  fs::remove_all(root, error);
  if (error) return failed("cannot empty", root);
  fs::create_directories(fs::path(root).parent_path(), error);
  std::unordered_map<const Node*, std::string> written;
  return write_node(*root_, root, written);
}

Status DurableImage::lose_power(const std::string& journal) {
  const auto records = read_file(journal);
  if (!records) return failed("cannot read", journal);
  return Replay(root_).run(*records);
}

Status DurableImage::lose_power(const std::string& journal, const std::string& root, Random& random,
                                double share) {
  const auto records = read_file(journal);
  if (!records) return failed("cannot read", journal);
  Replay replay(root_);
  RW_TRY(replay.run(*records));
  return replay.survive(root, random, share);
}

}  // namespace ringwright::durability
