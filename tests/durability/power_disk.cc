#include "tests/durability/power_disk.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

// One lock is held for every call on a file below the root, so that what the journal says happened
// in this order; only the wait of a slow sync is outside of it. Calls go to the kernel directly:
// the C library's own are the ones that are replaced here.

namespace ringwright::durability {
namespace {

struct Range {
  std::uint64_t offset;
  std::uint64_t size;
};

struct Node {
  std::uint64_t id = 0;
  std::uint64_t inode = 0;
  bool is_directory = false;
  bool is_unlinked = false;
  int reader = -1;       // keeps the inode's number from being given to another file
  unsigned handles = 0;  // open descriptors, and syncs under way
  std::vector<Range> dirty;
  pthread_mutex_t sync_mutex = PTHREAD_MUTEX_INITIALIZER;  // taken before the disk's
};

struct Handle {
  Node* node = nullptr;
  bool appends = false;
};

constexpr std::size_t descriptors_max = 65536;

struct PowerDiskState {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  std::string root;
  int journal = -1;
  std::uint64_t journal_bytes = 0;
  PowerPage* page = nullptr;
  std::uint64_t random = 1;
  std::uint64_t next_id = 1;
  std::unordered_map<std::uint64_t, Node*> nodes;  // by inode
  std::vector<Handle> handles = std::vector<Handle>(descriptors_max);
};

// Null while asleep. Never freed: threads use it until the process ends.
std::atomic<PowerDiskState*> awake = nullptr;

class Lock {
 public:
  explicit Lock(PowerDiskState& disk) : disk_(disk) { pthread_mutex_lock(&disk_.mutex); }
  ~Lock() { pthread_mutex_unlock(&disk_.mutex); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  PowerDiskState& disk_;
};

[[noreturn]] void give_up(const char* why) {
  syscall(SYS_write, 2, "power disk: ", 12);
  syscall(SYS_write, 2, why, std::strlen(why));
  syscall(SYS_write, 2, "\n", 1);
  std::abort();
}

// --- the journal -------------------------------------------------------------------------------

void record(PowerDiskState& disk, PowerRecord head, const std::string& payload = {}) {
  head.bytes = payload.size();
  std::string bytes(reinterpret_cast<const char*>(&head), sizeof(head));
  bytes += payload;
  for (std::size_t done = 0; done < bytes.size();) {
    const long step = syscall(SYS_write, disk.journal, bytes.data() + done, bytes.size() - done);
    if (step <= 0) give_up("cannot write the journal");
    done += static_cast<std::size_t>(step);
  }
  disk.journal_bytes += bytes.size();
}

std::uint64_t draw(PowerDiskState& disk) {
  disk.random ^= disk.random << 13;
  disk.random ^= disk.random >> 7;
  disk.random ^= disk.random << 17;
  return disk.random >> 16;
}

// --- paths and nodes ---------------------------------------------------------------------------

// Absolute, without '.', '..' and double '/'; nothing is followed.
std::string cleaned(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string part = path.substr(at, end - at);
    if (part == ".." && !parts.empty()) parts.pop_back();
    if (!part.empty() && part != "." && part != "..") parts.push_back(part);
    at = end + 1;
  }
  std::string clean;
  for (const std::string& part : parts) clean += "/" + part;
  return clean.empty() ? "/" : clean;
}

// Of a path as a call names it; empty when it is not below the root.
std::string path_below(const PowerDiskState& disk, int folder, const char* path) {
  if (path == nullptr) return {};
  std::string full = path;
  if (full.empty() || full.front() != '/') {
    char text[PATH_MAX];
    const std::string link =
        folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/" + std::to_string(folder);
    const long size = syscall(SYS_readlink, link.c_str(), text, sizeof(text));
    if (size <= 0) return {};
    full = std::string(text, static_cast<std::size_t>(size)) + "/" + full;
  }
  full = cleaned(full);
  const bool is_below =
      full == disk.root || full.compare(0, disk.root.size() + 1, disk.root + "/") == 0;
  return is_below ? full : std::string();
}

std::string parent_of(const std::string& path) { return path.substr(0, path.rfind('/')); }
std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

bool status_of(const std::string& path, struct stat& found) {
  return syscall(SYS_newfstatat, AT_FDCWD, path.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0;
}
bool status_of(int file, struct stat& found) { return syscall(SYS_fstat, file, &found) == 0; }

Node* add_node(PowerDiskState& disk, const struct stat& found) {
  Node* const node = new Node;
  node->id = disk.next_id++;
  node->inode = found.st_ino;
  node->is_directory = S_ISDIR(found.st_mode);
  // One with the same inode was removed by a way that is not watched.
  disk.nodes[found.st_ino] = node;
  return node;
}

Node* node_of(PowerDiskState& disk, const std::string& path) {
  struct stat found {};
  if (!status_of(path, found)) return nullptr;
  const auto at = disk.nodes.find(found.st_ino);
  return at == disk.nodes.end() ? nullptr : at->second;
}

Node& folder_of(PowerDiskState& disk, const std::string& path) {
  Node* const folder = node_of(disk, parent_of(path));
  if (folder == nullptr) give_up("a directory that is not known");
  return *folder;
}

void drop_if_gone(PowerDiskState& disk, Node* node) {
  if (!node->is_unlinked || node->handles > 0) return;
  struct stat found {};
  if (node->reader >= 0) {
    if (status_of(node->reader, found))
      disk.page->used_bytes -= static_cast<std::uint64_t>(found.st_size);
    syscall(SYS_close, node->reader);
  }
  const auto at = disk.nodes.find(node->inode);
  if (at != disk.nodes.end() && at->second == node) disk.nodes.erase(at);
  delete node;
}

void open_reader(Node& node, int file) {
  if (node.reader >= 0) return;
  const std::string path = "/proc/self/fd/" + std::to_string(file);
  node.reader =
      static_cast<int>(syscall(SYS_openat, AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC, 0));
  if (node.reader < 0) give_up("cannot open a file once more to read it");
}

// --- what changes a file -----------------------------------------------------------------------

std::uint64_t size_of(int file) {
  struct stat found {};
  return status_of(file, found) ? static_cast<std::uint64_t>(found.st_size) : 0;
}

void mark_dirty(Node& node, std::uint64_t offset, std::uint64_t size) {
  if (!node.dirty.empty() && node.dirty.back().offset + node.dirty.back().size == offset)
    node.dirty.back().size += size;
  else
    node.dirty.push_back({offset, size});
}

std::string read_piece(const Node& node, Range range) {
  std::string bytes(range.size, '\0');
  for (std::size_t done = 0; done < bytes.size();) {
    const long step = syscall(SYS_pread64, node.reader, bytes.data() + done, bytes.size() - done,
                              static_cast<off_t>(range.offset + done));
    if (step < 0) give_up("cannot read back what was written");
    if (step == 0) break;  // zeros behind the end
    done += static_cast<std::size_t>(step);
  }
  return bytes;
}

void note_written(PowerDiskState& disk, Node& node, std::uint64_t offset, std::uint64_t size) {
  if (size == 0) return;
  mark_dirty(node, offset, size);
  record(disk, {.kind = PowerRecord::Kind::wrote, .id = node.id, .a = offset, .b = size});
  if ((draw(disk) & 0xffff) < disk.page->early_share.load())
    record(disk, {.kind = PowerRecord::Kind::early, .id = node.id, .a = offset},
           read_piece(node, {offset, size}));
}

void note_resized(PowerDiskState& disk, Node& node, std::uint64_t before, std::uint64_t after) {
  if (after < before) {
    // What lies behind the cut reads as zeros when the file grows again.
    mark_dirty(node, after, before - after);
    disk.page->used_bytes -= before - after;
  } else {
    disk.page->used_bytes += after - before;
  }
  record(disk, {.kind = PowerRecord::Kind::resized, .id = node.id, .a = after});
}

// How many of `size` bytes at `offset` the budget lets in.
std::uint64_t allowed(PowerDiskState& disk, std::uint64_t before, std::uint64_t offset,
                      std::uint64_t size) {
  const std::uint64_t end = offset + size;
  if (end <= before) return size;
  const std::uint64_t budget = disk.page->budget_bytes.load();
  const std::uint64_t used = disk.page->used_bytes.load();
  const std::uint64_t room = budget > used ? budget - used : 0;
  if (end - before <= room) return size;
  const std::uint64_t last = before + room;
  return last > offset ? last - offset : 0;
}

bool is_full(const PowerDiskState& disk) {
  return disk.page->used_bytes.load() >= disk.page->budget_bytes.load();
}

int refuse_full(PowerDiskState& disk) {
  ++disk.page->refused_writes;
  disk.page->hides_budget = false;
  errno = ENOSPC;
  return -1;
}

// --- descriptors -------------------------------------------------------------------------------

Handle* handle_of(PowerDiskState& disk, int file) {
  if (file < 0 || static_cast<std::size_t>(file) >= descriptors_max) return nullptr;
  Handle& handle = disk.handles[static_cast<std::size_t>(file)];
  return handle.node == nullptr ? nullptr : &handle;
}

void attach(PowerDiskState& disk, int file, Node* node, bool appends) {
  if (static_cast<std::size_t>(file) >= descriptors_max) give_up("too many descriptors");
  disk.handles[static_cast<std::size_t>(file)] = {node, appends};
  ++node->handles;
}

void detach(PowerDiskState& disk, int file) {
  Handle* const handle = handle_of(disk, file);
  if (handle == nullptr) return;
  Node* const node = handle->node;
  *handle = {};
  --node->handles;
  drop_if_gone(disk, node);
}

int open_below(PowerDiskState& disk, const std::string& path, int flags, mode_t mode) {
  const Lock lock(disk);
  struct stat before {};
  const bool was_there = status_of(path, before);
  if (!was_there && (flags & O_CREAT) != 0 && is_full(disk)) return refuse_full(disk);
  const int file = static_cast<int>(syscall(SYS_openat, AT_FDCWD, path.c_str(), flags, mode));
  if (file < 0) return file;
  struct stat now {};
  if (!status_of(file, now)) give_up("cannot look at a file that was just opened");
  const auto at = disk.nodes.find(now.st_ino);
  const bool is_known = was_there && at != disk.nodes.end();
  Node* const node = is_known ? at->second : add_node(disk, now);
  if (!is_known)
    record(disk,
           {.kind = PowerRecord::Kind::enter,
            .id = folder_of(disk, path).id,
            .a = node->id,
            .b = node->is_directory ? 1u : 0u},
           name_of(path));
  if ((flags & O_ACCMODE) != O_RDONLY) open_reader(*node, file);
  if (was_there && (flags & O_TRUNC) != 0 && before.st_size > 0)
    note_resized(disk, *node, static_cast<std::uint64_t>(before.st_size), 0);
  attach(disk, file, node, (flags & O_APPEND) != 0);
  return file;
}

int open_any(int folder, const char* path, int flags, mode_t mode) {
  PowerDiskState* const disk = awake.load(std::memory_order_acquire);
  if (disk != nullptr) {
    const std::string full = path_below(*disk, folder, path);
    if (!full.empty()) return open_below(*disk, full, flags, mode);
  }
  return static_cast<int>(syscall(SYS_openat, folder, path, flags, mode));
}

int close_any(int file) {
  PowerDiskState* const disk = awake.load(std::memory_order_acquire);
  if (disk == nullptr) return static_cast<int>(syscall(SYS_close, file));
  const Lock lock(*disk);
  detach(*disk, file);
  return static_cast<int>(syscall(SYS_close, file));
}

// `call`: a system call that gives a new descriptor for the same open file.
template <typename Call>
int duplicate(int file, Call call) {
  PowerDiskState* const disk = awake.load(std::memory_order_acquire);
  if (disk == nullptr) return static_cast<int>(call());
  const Lock lock(*disk);
  const int copy = static_cast<int>(call());
  if (copy < 0 || copy == file) return copy;
  detach(*disk, copy);
  if (const Handle* const handle = handle_of(*disk, file))
    attach(*disk, copy, handle->node, handle->appends);
  return copy;
}

// --- writes ------------------------------------------------------------------------------------

// The first `size` bytes of the pieces.
std::vector<iovec> cut(const iovec* pieces, int count, std::uint64_t size) {
  std::vector<iovec> kept;
  for (int i = 0; i < count && size > 0; ++i) {
    kept.push_back(pieces[i]);
    kept.back().iov_len = std::min<std::uint64_t>(size, pieces[i].iov_len);
    size -= kept.back().iov_len;
  }
  return kept;
}

// `at`: -1 for the descriptor's own place.
ssize_t write_any(int file, const iovec* pieces, int count, off_t at) {
  PowerDiskState* const disk = awake.load(std::memory_order_acquire);
  const auto call = [&](const iovec* from, int number) {
    return at < 0 ? syscall(SYS_writev, file, from, number)
                  : syscall(SYS_pwritev, file, from, number, at, 0L);
  };
  if (disk == nullptr) return call(pieces, count);
  const Lock lock(*disk);
  const Handle* const handle = handle_of(*disk, file);
  if (handle == nullptr) return call(pieces, count);
  Node& node = *handle->node;
  const std::uint64_t before = size_of(file);
  std::uint64_t offset = static_cast<std::uint64_t>(at);
  if (handle->appends) offset = before;
  if (!handle->appends && at < 0)
    offset = static_cast<std::uint64_t>(syscall(SYS_lseek, file, 0L, SEEK_CUR));
  std::uint64_t size = 0;
  for (int i = 0; i < count; ++i) size += pieces[i].iov_len;
  const std::uint64_t fits = allowed(*disk, before, offset, size);
  if (size > 0 && fits == 0) return refuse_full(*disk);
  const std::vector<iovec> kept = cut(pieces, count, fits);
  const ssize_t written = call(kept.data(), static_cast<int>(kept.size()));
  if (written <= 0) return written;
  const std::uint64_t end = offset + static_cast<std::uint64_t>(written);
  if (end > before) disk->page->used_bytes += end - before;
  note_written(*disk, node, offset, static_cast<std::uint64_t>(written));
  return written;
}

ssize_t write_one(int file, const void* bytes, size_t size, off_t at) {
  const iovec piece{const_cast<void*>(bytes), size};
  return write_any(file, &piece, 1, at);
}

int resize_any(int file, off_t size) {
  PowerDiskState* const disk = awake.load(std::memory_order_acquire);
  if (disk == nullptr) return static_cast<int>(syscall(SYS_ftruncate, file, size));
  const Lock lock(*disk);
  const Handle* const handle = handle_of(*disk, file);
  if (handle == nullptr) return static_cast<int>(syscall(SYS_ftruncate, file, size));
  const std::uint64_t before = size_of(file);
  const auto wanted = static_cast<std::uint64_t>(size);
  // The room is taken here, not when the hole is written: the budget counts sizes, not blocks.
  if (wanted > before && allowed(*disk, before, before, wanted - before) < wanted - before)
    return refuse_full(*disk);
  const int result = static_cast<int>(syscall(SYS_ftruncate, file, size));
  if (result == 0) note_resized(*disk, *handle->node, before, wanted);
  return result;
}

int resize_path(const char* path, off_t size) {
  PowerDiskState* const disk = awake.load(std::memory_order_acquire);
  if (disk == nullptr || path_below(*disk, AT_FDCWD, path).empty())
    return static_cast<int>(syscall(SYS_truncate, path, size));
  const int file = open_any(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
  if (file < 0) return -1;
  const int result = resize_any(file, size);
  close_any(file);
  return result;
}

int allocate_any(int file, int mode, off_t offset, off_t length) {
  PowerDiskState* const disk = awake.load(std::memory_order_acquire);
  const auto call = [&] {
    return static_cast<int>(syscall(SYS_fallocate, file, mode, offset, length));
  };
  if (disk == nullptr) return call();
  const Lock lock(*disk);
  const Handle* const handle = handle_of(*disk, file);
  if (handle == nullptr) return call();
  const std::uint64_t before = size_of(file);
  const auto end = static_cast<std::uint64_t>(offset + length);
  const bool grows = (mode & FALLOC_FL_KEEP_SIZE) == 0 && end > before;
  if (grows && allowed(*disk, before, before, end - before) < end - before)
    return refuse_full(*disk);
  const int result = call();
  if (result != 0) return result;
  if ((mode & ~FALLOC_FL_KEEP_SIZE) != 0)
    note_written(*disk, *handle->node, static_cast<std::uint64_t>(offset),
                 static_cast<std::uint64_t>(length));
  if (grows) note_resized(*disk, *handle->node, before, end);
  return 0;
}

// --- syncs -------------------------------------------------------------------------------------

bool fails_now(PowerDiskState& disk) {
  std::uint64_t left = disk.page->fail_sync_in.load();
  if (left == 0) return false;
  disk.page->fail_sync_in.store(left - 1);
  return left == 1;
}

// The dirty pieces with their bytes, in the journal's form.
std::string take_dirty(Node& node, std::uint64_t size) {
  std::vector<Range> ranges = std::exchange(node.dirty, {});
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& one, const Range& other) { return one.offset < other.offset; });
  std::string pieces;
  std::uint64_t done = 0;
  for (const Range& range : ranges) {
    const std::uint64_t first = std::max(range.offset, done);
    const std::uint64_t end = std::min(range.offset + range.size, size);
    if (first >= end) continue;
    const std::uint64_t numbers[2] = {first, end - first};
    pieces.append(reinterpret_cast<const char*>(numbers), sizeof(numbers));
    pieces += read_piece(node, {first, end - first});
    done = end;
  }
  return pieces;
}

void wait_as_told(const PowerDiskState& disk) {
  const std::uint64_t delay = disk.page->sync_delay_us.load();
  if (delay == 0) return;
  const timespec pause{static_cast<time_t>(delay / 1'000'000),
                       static_cast<long>(delay % 1'000'000) * 1000};
  syscall(SYS_nanosleep, &pause, nullptr);
}

// With the node's sync mutex held: what one sync takes, a later one must not overtake.
int sync_node(PowerDiskState& disk, Node& node) {
  PowerRecord head{
      .kind = node.is_directory ? PowerRecord::Kind::folder_synced : PowerRecord::Kind::file_synced,
      .id = node.id};
  std::string pieces;
  {
    const Lock lock(disk);
    ++disk.page->syncs;
    head.b = disk.journal_bytes;
    if (fails_now(disk)) {
      ++disk.page->failed_syncs;
      head.kind = PowerRecord::Kind::forgotten;
      node.dirty.clear();
      record(disk, head);
      errno = EIO;
      return -1;
    }
    if (!node.is_directory && node.reader >= 0) {
      head.a = size_of(node.reader);
      pieces = take_dirty(node, head.a);
    }
  }
  // A file that nobody opened for writing since the start has nothing that does not rest.
  const bool is_untouched = !node.is_directory && node.reader < 0;
  wait_as_told(disk);
  const Lock lock(disk);
  if (!is_untouched) record(disk, head, pieces);
  return 0;
}

int sync_any(int file, long number) {
  PowerDiskState* const disk = awake.load(std::memory_order_acquire);
  Node* node = nullptr;
  if (disk != nullptr) {
    const Lock lock(*disk);
    if (const Handle* const handle = handle_of(*disk, file)) {
      node = handle->node;
      ++node->handles;
    }
  }
  if (node == nullptr) return static_cast<int>(syscall(number, file));
  pthread_mutex_lock(&node->sync_mutex);
  const int result = sync_node(*disk, *node);
  const int error = errno;
  pthread_mutex_unlock(&node->sync_mutex);
  const Lock lock(*disk);
  --node->handles;
  drop_if_gone(*disk, node);
  errno = error;
  return result;
}

// --- names -------------------------------------------------------------------------------------

// A node lost one of its names, the last one if `links` was 1.
void note_unlinked(PowerDiskState& disk, Node* node, const struct stat& before) {
  if (node == nullptr || (before.st_nlink > 1 && !node->is_directory)) return;
  node->is_unlinked = true;
  if (node->reader < 0 && !node->is_directory)
    disk.page->used_bytes -= static_cast<std::uint64_t>(before.st_size);
  drop_if_gone(disk, node);
}

int unlink_below(PowerDiskState& disk, const std::string& path, int flags) {
  const Lock lock(disk);
  struct stat before {};
  const bool was_there = status_of(path, before);
  Node* const node = was_there ? node_of(disk, path) : nullptr;
  const int result = static_cast<int>(syscall(SYS_unlinkat, AT_FDCWD, path.c_str(), flags));
  if (result != 0) return result;
  record(disk, {.kind = PowerRecord::Kind::leave, .id = folder_of(disk, path).id}, name_of(path));
  note_unlinked(disk, node, before);
  return 0;
}

int unlink_any(int folder, const char* path, int flags) {
  PowerDiskState* const disk = awake.load(std::memory_order_acquire);
  if (disk != nullptr) {
    const std::string full = path_below(*disk, folder, path);
    if (!full.empty()) return unlink_below(*disk, full, flags);
  }
  return static_cast<int>(syscall(SYS_unlinkat, folder, path, flags));
}

int rename_below(PowerDiskState& disk, const std::string& from, const std::string& to,
                 unsigned flags) {
  const Lock lock(disk);
  struct stat replaced {};
  const bool replaces = status_of(to, replaced);
  Node* const old = replaces ? node_of(disk, to) : nullptr;
  Node* const node = node_of(disk, from);
  const int result =
      static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags));
  if (result != 0 || node == nullptr || node == old) return result;
  if (flags > RENAME_NOREPLACE) give_up("a rename of another kind");
  record(disk,
         {.kind = PowerRecord::Kind::move,
          .id = folder_of(disk, from).id,
          .a = folder_of(disk, to).id,
          .b = node->id},
         name_of(from) + '\0' + name_of(to));
  if (old != nullptr) note_unlinked(disk, old, replaced);
  return 0;
}

int rename_any(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  PowerDiskState* const disk = awake.load(std::memory_order_acquire);
  if (disk != nullptr) {
    const std::string source = path_below(*disk, from_folder, from);
    const std::string target = path_below(*disk, to_folder, to);
    if (source.empty() != target.empty()) give_up("a rename across the border of the disk");
    if (!source.empty()) return rename_below(*disk, source, target, flags);
  }
  return static_cast<int>(syscall(SYS_renameat2, from_folder, from, to_folder, to, flags));
}

int link_any(int from_folder, const char* from, int to_folder, const char* to, int flags) {
  PowerDiskState* const disk = awake.load(std::memory_order_acquire);
  const std::string target = disk == nullptr ? "" : path_below(*disk, to_folder, to);
  const auto call = [&] {
    return static_cast<int>(syscall(SYS_linkat, from_folder, from, to_folder, to, flags));
  };
  if (target.empty()) return call();
  const Lock lock(*disk);
  if (is_full(*disk)) return refuse_full(*disk);
  const int result = call();
  if (result != 0) return result;
  const Node* const node = node_of(*disk, target);
  if (node == nullptr) give_up("a link to a file that is not known");
  record(*disk,
         {.kind = PowerRecord::Kind::enter, .id = folder_of(*disk, target).id, .a = node->id},
         name_of(target));
  return 0;
}

int make_folder_any(int folder, const char* path, mode_t mode) {
  PowerDiskState* const disk = awake.load(std::memory_order_acquire);
  const std::string full = disk == nullptr ? "" : path_below(*disk, folder, path);
  if (full.empty()) return static_cast<int>(syscall(SYS_mkdirat, folder, path, mode));
  const Lock lock(*disk);
  struct stat found {};
  if (!status_of(full, found) && is_full(*disk)) return refuse_full(*disk);
  const int result = static_cast<int>(syscall(SYS_mkdirat, AT_FDCWD, full.c_str(), mode));
  if (result != 0) return result;
  if (!status_of(full, found)) give_up("cannot look at a directory that was just made");
  const Node* const node = add_node(*disk, found);
  record(*disk,
         {.kind = PowerRecord::Kind::enter, .id = folder_of(*disk, full).id, .a = node->id, .b = 1},
         name_of(full));
  return 0;
}

// --- the start ---------------------------------------------------------------------------------

void note_tree(PowerDiskState& disk, const std::string& path) {
  struct stat found {};
  if (!status_of(path, found)) return;
  const auto at = disk.nodes.find(found.st_ino);
  const Node* const node = at == disk.nodes.end() ? add_node(disk, found) : at->second;
  record(disk, {.kind = PowerRecord::Kind::node, .id = node->id, .a = node->is_directory ? 1u : 0u},
         path == disk.root ? std::string() : path.substr(disk.root.size() + 1));
  if (!node->is_directory) {
    disk.page->used_bytes += static_cast<std::uint64_t>(found.st_size);
    return;
  }
  DIR* const folder = ::opendir(path.c_str());
  if (folder == nullptr) give_up("cannot list a directory");
  while (const dirent* const entry = ::readdir(folder)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") note_tree(disk, path + "/" + name);
  }
  ::closedir(folder);
}

// How much room the budget leaves, for those who ask before they write.
void show_budget(PowerDiskState& disk, struct statvfs& found) {
  const std::uint64_t budget = disk.page->budget_bytes.load();
  if (budget == PowerPage::no_budget || found.f_frsize == 0) return;
  if (disk.page->hides_budget.load()) return;
  const std::uint64_t used = disk.page->used_bytes.load();
  const std::uint64_t blocks = budget > used ? (budget - used) / found.f_frsize : 0;
  found.f_bfree = std::min<std::uint64_t>(found.f_bfree, blocks);
  found.f_bavail = std::min<std::uint64_t>(found.f_bavail, blocks);
}

int look_at_volume(const char* path, struct statvfs& found) {
  const auto real =
      reinterpret_cast<int (*)(const char*, struct statvfs*)>(dlsym(RTLD_NEXT, "statvfs"));
  if (real == nullptr) give_up("the C library has no statvfs");
  const int result = real(path, &found);
  PowerDiskState* const disk = awake.load(std::memory_order_acquire);
  if (result == 0 && disk != nullptr && !path_below(*disk, AT_FDCWD, path).empty())
    show_budget(*disk, found);
  return result;
}

bool is_watched(int file) {
  PowerDiskState* const disk = awake.load(std::memory_order_acquire);
  if (disk == nullptr) return false;
  const Lock lock(*disk);
  return handle_of(*disk, file) != nullptr;
}

// What the kernel would copy by itself, as a read and a write; may copy less than asked.
ssize_t copy_piece(int from, off_t* from_at, int to, off_t* to_at, size_t size) {
  char bytes[16384];
  size = std::min(size, sizeof(bytes));
  const ssize_t there = from_at == nullptr ? syscall(SYS_read, from, bytes, size)
                                           : syscall(SYS_pread64, from, bytes, size, *from_at);
  if (there <= 0) return there;
  const ssize_t written =
      write_one(to, bytes, static_cast<size_t>(there), to_at == nullptr ? -1 : *to_at);
  if (written > 0 && to_at != nullptr) *to_at += written;
  if (written > 0 && from_at != nullptr) *from_at += written;
  // The next piece begins where this one was cut.
  if (written >= 0 && written < there && from_at == nullptr)
    syscall(SYS_lseek, from, written - there, SEEK_CUR);
  return written;
}

bool note_unknown_call(int file) {
  PowerDiskState* const disk = awake.load(std::memory_order_acquire);
  if (disk == nullptr || file < 0) return false;
  const Lock lock(*disk);
  if (handle_of(*disk, file) == nullptr) return false;
  ++disk->page->unknown_calls;
  errno = EOPNOTSUPP;
  return true;
}

}  // namespace
}  // namespace ringwright::durability

using namespace ringwright::durability;  // NOLINT: what follows belongs to no namespace

extern "C" {

int power_disk_start(const char* root, const char* journal, PowerPage* page, std::uint64_t seed) {
  auto* const disk = new PowerDiskState;
  disk->root = cleaned(root);
  disk->page = page;
  disk->page->used_bytes = 0;
  disk->random = seed | 1;
  disk->journal = static_cast<int>(
      syscall(SYS_openat, AT_FDCWD, journal, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (disk->journal < 0) return -1;
  note_tree(*disk, disk->root);
  awake.store(disk, std::memory_order_release);
  return 0;
}

static mode_t mode_of(int flags, va_list more) {
  const bool has_mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  return has_mode ? static_cast<mode_t>(va_arg(more, int)) : 0;
}

#define RW_OPEN(name)                             \
  int name(const char* path, int flags, ...) {    \
    va_list more;                                 \
    va_start(more, flags);                        \
    const mode_t mode = mode_of(flags, more);     \
    va_end(more);                                 \
    return open_any(AT_FDCWD, path, flags, mode); \
  }
#define RW_OPENAT(name)                                    \
  int name(int folder, const char* path, int flags, ...) { \
    va_list more;                                          \
    va_start(more, flags);                                 \
    const mode_t mode = mode_of(flags, more);              \
    va_end(more);                                          \
    return open_any(folder, path, flags, mode);            \
  }
RW_OPEN(open)
RW_OPEN(open64)
RW_OPENAT(openat)
RW_OPENAT(openat64)
int __open_2(const char* path, int flags) { return open_any(AT_FDCWD, path, flags, 0); }
int __open64_2(const char* path, int flags) { return open_any(AT_FDCWD, path, flags, 0); }
int __openat_2(int folder, const char* path, int flags) { return open_any(folder, path, flags, 0); }
int __openat64_2(int folder, const char* path, int flags) {
  return open_any(folder, path, flags, 0);
}
int creat(const char* path, mode_t mode) {
  return open_any(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}
int creat64(const char* path, mode_t mode) { return creat(path, mode); }

int close(int file) { return close_any(file); }
int dup(int file) noexcept {
  return duplicate(file, [&] { return syscall(SYS_dup, file); });
}
int dup2(int file, int wanted) noexcept {
  return duplicate(file, [&] { return syscall(SYS_dup2, file, wanted); });
}
int dup3(int file, int wanted, int flags) noexcept {
  return duplicate(file, [&] { return syscall(SYS_dup3, file, wanted, flags); });
}
#define RW_FCNTL(name)                                                                  \
  int name(int file, int command, ...) {                                                \
    va_list more;                                                                       \
    va_start(more, command);                                                            \
    void* const argument = va_arg(more, void*);                                         \
    va_end(more);                                                                       \
    const auto call = [&] { return syscall(SYS_fcntl, file, command, argument); };      \
    if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) return duplicate(file, call); \
    return static_cast<int>(call());                                                    \
  }
RW_FCNTL(fcntl)
RW_FCNTL(fcntl64)

ssize_t write(int file, const void* bytes, size_t size) { return write_one(file, bytes, size, -1); }
ssize_t pwrite(int file, const void* bytes, size_t size, off_t at) {
  return write_one(file, bytes, size, at);
}
ssize_t pwrite64(int file, const void* bytes, size_t size, off64_t at) {
  return write_one(file, bytes, size, at);
}
ssize_t writev(int file, const iovec* pieces, int count) {
  return write_any(file, pieces, count, -1);
}
ssize_t pwritev(int file, const iovec* pieces, int count, off_t at) {
  return write_any(file, pieces, count, at);
}
ssize_t pwritev64(int file, const iovec* pieces, int count, off64_t at) {
  return write_any(file, pieces, count, at);
}
ssize_t pwritev2(int file, const iovec* pieces, int count, off_t at, int) {
  return write_any(file, pieces, count, at);
}
ssize_t pwritev64v2(int file, const iovec* pieces, int count, off64_t at, int) {
  return write_any(file, pieces, count, at);
}

int ftruncate(int file, off_t size) noexcept { return resize_any(file, size); }
int ftruncate64(int file, off64_t size) noexcept { return resize_any(file, size); }
int truncate(const char* path, off_t size) noexcept { return resize_path(path, size); }
int truncate64(const char* path, off64_t size) noexcept { return resize_path(path, size); }
int fallocate(int file, int mode, off_t offset, off_t length) {
  return allocate_any(file, mode, offset, length);
}
int fallocate64(int file, int mode, off64_t offset, off64_t length) {
  return allocate_any(file, mode, offset, length);
}
int posix_fallocate(int file, off_t offset, off_t length) {
  return allocate_any(file, 0, offset, length) == 0 ? 0 : errno;
}
int posix_fallocate64(int file, off64_t offset, off64_t length) {
  return posix_fallocate(file, offset, length);
}

int fsync(int file) { return sync_any(file, SYS_fsync); }
int fdatasync(int file) { return sync_any(file, SYS_fdatasync); }
// Starts writing back and promises nothing: not even the C library's manual calls it durable.
int sync_file_range(int file, off64_t offset, off64_t length, unsigned flags) {
  if (awake.load() != nullptr) return 0;
  return static_cast<int>(syscall(SYS_sync_file_range, file, offset, length, flags));
}
int syncfs(int file) noexcept {
  if (note_unknown_call(file)) return -1;
  return static_cast<int>(syscall(SYS_syncfs, file));
}

int rename(const char* from, const char* to) noexcept {
  return rename_any(AT_FDCWD, from, AT_FDCWD, to, 0);
}
int renameat(int from_folder, const char* from, int to_folder, const char* to) noexcept {
  return rename_any(from_folder, from, to_folder, to, 0);
}
int renameat2(int from_folder, const char* from, int to_folder, const char* to,
              unsigned flags) noexcept {
  return rename_any(from_folder, from, to_folder, to, flags);
}
int link(const char* from, const char* to) noexcept {
  return link_any(AT_FDCWD, from, AT_FDCWD, to, 0);
}
int linkat(int from_folder, const char* from, int to_folder, const char* to, int flags) noexcept {
  return link_any(from_folder, from, to_folder, to, flags);
}
int unlink(const char* path) noexcept { return unlink_any(AT_FDCWD, path, 0); }
int unlinkat(int folder, const char* path, int flags) noexcept {
  return unlink_any(folder, path, flags);
}
int rmdir(const char* path) noexcept { return unlink_any(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char* path) noexcept {
  if (unlink_any(AT_FDCWD, path, 0) == 0) return 0;
  return errno == EISDIR ? unlink_any(AT_FDCWD, path, AT_REMOVEDIR) : -1;
}
int mkdir(const char* path, mode_t mode) noexcept { return make_folder_any(AT_FDCWD, path, mode); }
int mkdirat(int folder, const char* path, mode_t mode) noexcept {
  return make_folder_any(folder, path, mode);
}

int statvfs(const char* path, struct statvfs* found) noexcept {
  return look_at_volume(path, *found);
}
int statvfs64(const char* path, struct statvfs64* found) noexcept {
  return look_at_volume(path, *reinterpret_cast<struct statvfs*>(found));
}

static void* map_any(void* address, size_t size, int protection, int flags, int file, off_t at) {
  const bool writes_the_file = (flags & MAP_SHARED) != 0 && (protection & PROT_WRITE) != 0;
  if (writes_the_file && note_unknown_call(file)) return MAP_FAILED;
  return reinterpret_cast<void*>(syscall(SYS_mmap, address, size, protection, flags, file, at));
}
void* mmap(void* address, size_t size, int protection, int flags, int file, off_t at) noexcept {
  return map_any(address, size, protection, flags, file, at);
}
void* mmap64(void* address, size_t size, int protection, int flags, int file, off64_t at) noexcept {
  return map_any(address, size, protection, flags, file, at);
}
ssize_t copy_file_range(int from, off64_t* from_at, int to, off64_t* to_at, size_t size,
                        unsigned flags) {
  if (is_watched(to)) return copy_piece(from, from_at, to, to_at, size);
  return syscall(SYS_copy_file_range, from, from_at, to, to_at, size, flags);
}
ssize_t sendfile(int to, int from, off_t* from_at, size_t size) noexcept {
  if (is_watched(to)) return copy_piece(from, from_at, to, nullptr, size);
  return syscall(SYS_sendfile, to, from, from_at, size);
}
ssize_t sendfile64(int to, int from, off64_t* from_at, size_t size) noexcept {
  return sendfile(to, from, from_at, size);
}

}  // extern "C"
