#include "plugins/wiredtiger/file_system.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <new>
#include <string_view>
#include <thread>

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/space_reserve.h"

namespace ringwright {
namespace {

constexpr std::chrono::milliseconds poll_every{10};
constexpr mode_t file_mode = 0644;

constexpr const char* files_entry = "ringwright_plugin_wiredtiger_files";

thread_local FileSystem* offered = nullptr;

std::atomic<FileSystem::Watcher> watcher{nullptr};

void tell_watcher(std::string_view call, WT_FILE_HANDLE* file) {
  const FileSystem::Watcher told = watcher.load(std::memory_order_acquire);
  if (told != nullptr) told(call, file->name);
}

struct File final : WT_FILE_HANDLE {
  int descriptor = -1;
  bool is_locked = false;
  std::atomic<bool> is_made{false};
};

// WiredTiger hands a file from thread to thread in ways of its own, so the order between its making
// and its use is said here once more.
File& file_of(WT_FILE_HANDLE* handle) {
  auto& file = static_cast<File&>(*handle);
  RW_CHECK(file.is_made.load(std::memory_order_acquire));
  return file;
}

FileSystem& files_of(WT_FILE_SYSTEM* files) { return *static_cast<FileSystem*>(files); }
FileSystem& files_of(WT_FILE_HANDLE* file) { return files_of(file_of(file).file_system); }
int descriptor_of(WT_FILE_HANDLE* file) { return file_of(file).descriptor; }

// --- files ---

int read_file(WT_FILE_HANDLE* file, WT_SESSION*, wt_off_t offset, size_t size, void* to) {
  tell_watcher("read", file);
  char* at = static_cast<char*>(to);
  while (size > 0) {
    const ssize_t got = ::pread(descriptor_of(file), at, size, offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return files_of(file).failed("read", file->name, errno);
    if (got == 0) return files_of(file).failed("read behind the end", file->name, WT_ERROR);
    at += got;
    offset += got;
    size -= static_cast<size_t>(got);
  }
  return 0;
}

int write_file(WT_FILE_HANDLE* file, WT_SESSION*, wt_off_t offset, size_t size, const void* from) {
  tell_watcher("write", file);
  const char* at = static_cast<const char*>(from);
  while (size > 0) {
    ssize_t put = 0;
    const int error = files_of(file).with_room(
        size, [&] { return (put = ::pwrite(descriptor_of(file), at, size, offset)) >= 0; });
    if (error != 0) return files_of(file).failed("write", file->name, error);
    at += put;
    offset += put;
    size -= static_cast<size_t>(put);
  }
  tell_watcher("written", file);
  return 0;
}

// Takes room in advance. Without any, the file grows with its writes, which make themselves room.
int extend_file(WT_FILE_HANDLE* file, WT_SESSION*, wt_off_t size) {
  struct stat now {};
  if (::fstat(descriptor_of(file), &now) != 0)
    return files_of(file).failed("size", file->name, errno);
  // What the disk has not whole it might still give in part, and keep.
  if (size > now.st_size &&
      !files_of(file).has_room_for(static_cast<std::uint64_t>(size - now.st_size)))
    return ENOTSUP;
  const int error =
      files_of(file).change([&] { return ::fallocate(descriptor_of(file), 0, 0, size) == 0; });
  if (error == 0) return 0;
  constexpr std::array not_now{ENOSPC, EDQUOT, EFBIG, EOPNOTSUPP, ENOSYS};
  if (std::find(not_now.begin(), not_now.end(), error) != not_now.end()) return ENOTSUP;
  return files_of(file).failed("extend", file->name, error);
}

int truncate_file(WT_FILE_HANDLE* file, WT_SESSION*, wt_off_t size) {
  const int error = files_of(file).with_room_for_name(
      [&] { return ::ftruncate(descriptor_of(file), size) == 0; });
  return error == 0 ? 0 : files_of(file).failed("truncate", file->name, error);
}

int sync_file(WT_FILE_HANDLE* file, WT_SESSION*) {
  tell_watcher("sync", file);
  const int error = files_of(file).change([&] { return ::fdatasync(descriptor_of(file)) == 0; });
  if (error != 0) return files_of(file).sync_failed(file->name, error);
  tell_watcher("synced", file);
  return 0;
}

int begin_sync(WT_FILE_HANDLE* file, WT_SESSION*) {
  const int error = files_of(file).change(
      [&] { return ::sync_file_range(descriptor_of(file), 0, 0, SYNC_FILE_RANGE_WRITE) == 0; });
  return error == 0 ? 0 : files_of(file).sync_failed(file->name, error);
}

int size_of_file(WT_FILE_HANDLE* file, WT_SESSION*, wt_off_t* size) {
  struct stat status {};
  if (::fstat(descriptor_of(file), &status) != 0)
    return files_of(file).failed("size", file->name, errno);
  *size = status.st_size;
  return 0;
}

int lock_file(WT_FILE_HANDLE* file, WT_SESSION*, bool lock) {
  // The locks of a process are one, and another connection may have taken them over.
  if (files_of(file).is_severed()) return 0;
  struct flock region {};
  region.l_len = 1;
  region.l_type = lock ? F_WRLCK : F_UNLCK;
  region.l_whence = SEEK_SET;
  if (::fcntl(descriptor_of(file), F_SETLK, &region) != 0) return errno;
  file_of(file).is_locked = lock;
  return 0;
}

int advise_file(WT_FILE_HANDLE* file, WT_SESSION*, wt_off_t offset, wt_off_t size, int advice) {
  const int native = advice == WT_FILE_HANDLE_DONTNEED ? POSIX_FADV_DONTNEED : POSIX_FADV_WILLNEED;
  ::posix_fadvise(descriptor_of(file), offset, size, native);
  return 0;
}

int close_file(WT_FILE_HANDLE* handle, WT_SESSION*) {
  tell_watcher("close", handle);
  File* const file = &file_of(handle);
  // A close lets go of each lock that the process has on the file, and another connection may have
  // taken it over.
  const bool keeps = file->is_locked && files_of(handle).is_severed();
  const int error = keeps || ::close(file->descriptor) == 0 || errno == EINTR ? 0 : errno;
  std::free(file->name);
  delete file;
  return error;
}

// --- names ---

int sync_directory_of(FileSystem& files, const char* name) {
  std::array<char, PATH_MAX> path{};
  const char* const slash = std::strrchr(name, '/');
  if (slash == nullptr || slash - name >= PATH_MAX)
    return files.failed("find the directory of", name, ENAMETOOLONG);
  std::copy(name, slash, path.begin());
  const int folder = ::open(path.data(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return files.failed("open the directory of", name, errno);
  const int error = files.change([&] { return ::fsync(folder) == 0; });
  ::close(folder);
  return error == 0 ? 0 : files.sync_failed(path.data(), error);
}

int flags_of(WT_FS_OPEN_FILE_TYPE type, std::uint32_t wanted) {
  if (type == WT_FS_OPEN_FILE_TYPE_DIRECTORY) return O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  int flags = O_CLOEXEC | ((wanted & WT_FS_OPEN_READONLY) != 0 ? O_RDONLY : O_RDWR);
  if ((wanted & WT_FS_OPEN_CREATE) != 0) flags |= O_CREAT;
  if ((wanted & WT_FS_OPEN_EXCLUSIVE) != 0) flags |= O_EXCL;
  if ((wanted & WT_FS_OPEN_DIRECTIO) != 0) flags |= O_DIRECT;
  return flags;
}

// Null where there is no memory.
File* make_file(WT_FILE_SYSTEM* files, const char* name, int descriptor) {
  auto* const file = new (std::nothrow) File{};
  char* const copy = ::strdup(name);
  if (file == nullptr || copy == nullptr) {
    delete file;
    std::free(copy);
    return nullptr;
  }
  file->file_system = files;
  file->name = copy;
  file->descriptor = descriptor;
  file->close = close_file;
  file->fh_advise = advise_file;
  file->fh_extend_nolock = extend_file;
  file->fh_lock = lock_file;
  file->fh_read = read_file;
  file->fh_size = size_of_file;
  file->fh_sync = sync_file;
  file->fh_sync_nowait = begin_sync;
  file->fh_truncate = truncate_file;
  file->fh_write = write_file;
  file->is_made.store(true, std::memory_order_release);
  return file;
}

int open_file(WT_FILE_SYSTEM* system, WT_SESSION*, const char* name, WT_FS_OPEN_FILE_TYPE type,
              std::uint32_t wanted, WT_FILE_HANDLE** opened) {
  FileSystem& files = files_of(system);
  int descriptor = -1;
  const int error = files.with_room_for_name(
      [&] { return (descriptor = ::open(name, flags_of(type, wanted), file_mode)) >= 0; });
  if (error == ENOENT) return error;
  if (error != 0) return files.failed("open", name, error);
  if (type == WT_FS_OPEN_FILE_TYPE_DATA && (wanted & WT_FS_OPEN_ACCESS_RAND) != 0)
    ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_RANDOM);
  constexpr std::uint32_t durable = WT_FS_OPEN_CREATE | WT_FS_OPEN_DURABLE;
  if ((wanted & durable) == durable)
    if (const int unsynced = sync_directory_of(files, name); unsynced != 0) {
      ::close(descriptor);
      return unsynced;
    }
  *opened = make_file(system, name, descriptor);
  if (*opened != nullptr) return 0;
  ::close(descriptor);
  return ENOMEM;
}

int remove_name(WT_FILE_SYSTEM* system, WT_SESSION*, const char* name, std::uint32_t flags) {
  FileSystem& files = files_of(system);
  const int error = files.with_room_for_name([&] { return ::unlink(name) == 0; });
  if (error != 0) return files.failed("remove", name, error);
  return (flags & WT_FS_DURABLE) != 0 ? sync_directory_of(files, name) : 0;
}

int rename_name(WT_FILE_SYSTEM* system, WT_SESSION*, const char* from, const char* to,
                std::uint32_t flags) {
  FileSystem& files = files_of(system);
  const int error = files.with_room_for_name([&] { return ::rename(from, to) == 0; });
  if (error != 0) return files.failed("rename", from, error);
  return (flags & WT_FS_DURABLE) != 0 ? sync_directory_of(files, to) : 0;
}

int exists(WT_FILE_SYSTEM* system, WT_SESSION*, const char* name, bool* found) {
  struct stat status {};
  *found = ::stat(name, &status) == 0;
  if (*found || errno == ENOENT) return 0;
  return files_of(system).failed("look for", name, errno);
}

int size_of_name(WT_FILE_SYSTEM* system, WT_SESSION*, const char* name, wt_off_t* size) {
  struct stat status {};
  if (::stat(name, &status) != 0) return files_of(system).failed("size", name, errno);
  *size = status.st_size;
  return 0;
}

int free_list(WT_FILE_SYSTEM*, WT_SESSION*, char** names, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) std::free(names[i]);
  std::free(names);
  return 0;
}

int list_up_to(WT_FILE_SYSTEM* system, const char* directory, const char* prefix,
               std::uint32_t count_max, char*** names, std::uint32_t* count) {
  *names = nullptr;
  *count = 0;
  DIR* const folder = ::opendir(directory);
  if (folder == nullptr) return files_of(system).failed("list", directory, errno);
  const std::string_view wanted = prefix == nullptr ? "" : prefix;
  while (*count < count_max) {
    const dirent* const entry = ::readdir(folder);
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name == "." || name == ".." || !name.starts_with(wanted)) continue;
    auto* const more =
        static_cast<char**>(std::realloc(*names, (*count + std::size_t{1}) * sizeof(char*)));
    char* const copy = more == nullptr ? nullptr : ::strdup(entry->d_name);
    if (more != nullptr) *names = more;
    if (copy == nullptr) {
      ::closedir(folder);
      return ENOMEM;  // the caller frees what there is
    }
    (*names)[(*count)++] = copy;
  }
  ::closedir(folder);
  return 0;
}

int list(WT_FILE_SYSTEM* system, WT_SESSION*, const char* directory, const char* prefix,
         char*** names, std::uint32_t* count) {
  return list_up_to(system, directory, prefix, UINT32_MAX, names, count);
}

int list_one(WT_FILE_SYSTEM* system, WT_SESSION*, const char* directory, const char* prefix,
             char*** names, std::uint32_t* count) {
  return list_up_to(system, directory, prefix, 1, names, count);
}

}  // namespace

FileSystem::FileSystem(std::string directory, std::shared_ptr<Events> events,
                       std::shared_ptr<Ballast> ballast,
                       std::shared_ptr<const std::atomic<bool>> ends)
    : WT_FILE_SYSTEM{},
      directory_(std::move(directory)),
      events_(std::move(events)),
      ballast_(std::move(ballast)),
      ends_(std::move(ends)) {
  fs_directory_list = list;
  fs_directory_list_single = list_one;
  fs_directory_list_free = free_list;
  fs_exist = exists;
  fs_open_file = open_file;
  fs_remove = remove_name;
  fs_rename = rename_name;
  fs_size = size_of_name;
  gate_.open();
}

void FileSystem::watch(Watcher told) { watcher.store(told); }

bool FileSystem::sever_within(Nanoseconds wait) {
  severed_.store(true);
  return gate_.shut_within(wait);
}

bool FileSystem::unless_severed(const std::function<void()>& call) {
  const CallGate::Pass pass(gate_);
  if (pass) call();
  return static_cast<bool>(pass);
}

template <typename Call>
int FileSystem::change(const Call& call) {
  const CallGate::Pass pass(gate_);
  if (!pass || sync_failed_.load()) return EIO;
  while (!call())
    if (errno != EINTR) return errno;
  return 0;
}

template <typename Call>
int FileSystem::with_room(std::uint64_t bytes, const Call& call) {
  return until_room(call, bytes, INT_MAX);
}

template <typename Call>
int FileSystem::with_room_for_name(const Call& call) {
  return until_room(call, 0, 1);
}

template <typename Call>
int FileSystem::until_room(const Call& call, std::uint64_t bytes, int pieces) {
  Instant deadline = 0;
  while (true) {
    const int error = change(call);
    if (error != ENOSPC && error != EDQUOT) return error;
    const bool given = pieces > 0 && ballast_->give(bytes);
    if (given) --pieces;
    if (!given && !wait_for_room(deadline)) return error;
  }
}

bool FileSystem::wait_for_room(Instant& deadline) {
  const Instant now = clock_->now();
  if (deadline == 0) deadline = now + limits::wiredtiger_room_deadline;
  if (now >= deadline || is_severed() || ends_->load(std::memory_order_relaxed)) return false;
  std::this_thread::sleep_for(poll_every);
  return true;
}

bool FileSystem::has_room_for(std::uint64_t bytes) const {
  return disk_space(directory_).free_bytes > bytes + limits::wiredtiger_free_bytes_min;
}

int FileSystem::failed(std::string_view call, const char* name, int error) {
  if (is_severed()) return error;
  try {
    const std::string why = error == WT_ERROR ? "" : ": " + std::string(std::strerror(error));
    events_->tell(error, std::string(call) + " " + name + why);
  } catch (const std::exception&) {
    return error;  // no memory for words
  }
  return error;
}

int FileSystem::sync_failed(const char* name, int error) {
  if (is_severed()) return error;
  sync_failed_.store(true);
  events_->fail();
  return failed("sync", name, error);
}

FileSystem::Offer::Offer(FileSystem& files) { offered = &files; }
FileSystem::Offer::~Offer() { offered = nullptr; }

}  // namespace ringwright

// WiredTiger takes files of others from an extension only, which it looks up by name.
extern "C" __attribute__((visibility("default"))) int ringwright_plugin_wiredtiger_files(
    WT_CONNECTION* connection, WT_CONFIG_ARG*) {
  if (ringwright::offered == nullptr) return EINVAL;
  return connection->set_file_system(connection, ringwright::offered, nullptr);
}

namespace ringwright {

// Of this very library: a test has a second one linked into its program.
std::string FileSystem::extension() {
  static const char here = 0;
  Dl_info own{};
  RW_CHECK(::dladdr(&here, &own) != 0);
  std::string library = std::filesystem::absolute(own.dli_fname).string();
  void* const program = ::dlopen(nullptr, RTLD_LAZY);
  Dl_info of_program{};
  const void* const entry = ::dlsym(program, files_entry);
  if (entry != nullptr && ::dladdr(entry, &of_program) != 0 &&
      of_program.dli_fbase == own.dli_fbase)
    library = "local";  // as WiredTiger calls the program, which cannot be opened by its path
  ::dlclose(program);
  return "\"" + library + "\"=(entry=" + files_entry + ",early_load=true)";
}

}  // namespace ringwright
