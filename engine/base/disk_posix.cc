#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "engine/base/disk.h"

namespace ringwright {
namespace {

// Files of the disk itself, beside those of its users: left out of `list`.
constexpr std::string_view private_prefix = ".ringwright.";
constexpr std::size_t read_step_bytes = 256 * 1024;

Status failed(const char* what, const std::string& path, int error) {
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  return {full ? Code::no_space : Code::io_error,
          std::string(what) + " " + path + ": " + std::generic_category().message(error)};
}

// Repeats a system call that a signal interrupted.
template <typename Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  bool is_open() const { return number_ >= 0; }
  int number() const { return number_; }

 private:
  int number_;
};

Descriptor open_file(const std::string& path, int flags) {
  return Descriptor(uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0644); }));
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// Writes all of `bytes`; `written` tells how many went in before a failure.
int write_all(int file, ByteView bytes, std::size_t& written) {
  written = 0;
  while (written < bytes.size()) {
    const ssize_t step = uninterrupted(
        [&] { return ::write(file, bytes.data() + written, bytes.size() - written); });
    if (step < 0) return errno;
    if (step == 0) return EIO;
    written += static_cast<std::size_t>(step);
  }
  return 0;
}

// Makes the names in a folder durable: what a new or renamed file needs besides its own sync.
Status sync_folder(const std::string& path) {
  const Descriptor folder = open_file(path, O_RDONLY | O_DIRECTORY);
  if (!folder.is_open()) return failed("cannot open folder", path, errno);
  if (uninterrupted([&] { return ::fsync(folder.number()); }) != 0)
    return failed("cannot sync folder", path, errno);
  return ok_status();
}

class PosixAppendFile final : public AppendFile {
 public:
  PosixAppendFile(Descriptor file, std::string path, std::uint64_t size)
      : file_(std::move(file)), path_(std::move(path)), size_(size) {}

  Status append(ByteView bytes) override {
    if (poisoned_) return refused();
    std::size_t written = 0;
    const int error = write_all(file_.number(), bytes, written);
    if (error == 0) {
      size_ += written;
      return ok_status();
    }
    const Status status = failed("cannot append to", path_, error);
    // Out of space is certain to have had no effect only once the part that went in is gone again.
    const bool undone = status.code() == Code::no_space && take_back(written);
    if (!undone) poisoned_ = true;
    return undone ? status : Status{Code::io_error, status.message()};
  }

  Status sync() override {
    if (poisoned_) return refused();
    if (uninterrupted([&] { return ::fdatasync(file_.number()); }) == 0) return ok_status();
    const Status status = failed("cannot sync", path_, errno);
    poisoned_ = true;
    return {Code::io_error, status.message()};
  }

  std::uint64_t size() const override { return size_; }

 private:
  bool take_back(std::size_t written) {
    if (written == 0) return true;
    const auto before = static_cast<off_t>(size_.load());
    return uninterrupted([&] { return ::ftruncate(file_.number(), before); }) == 0;
  }

  Status refused() const {
    return {Code::io_error, path_ + " takes no more after a failed append or sync: reopen it"};
  }

  Descriptor file_;
  const std::string path_;
  std::atomic<std::uint64_t> size_;
  std::atomic<bool> poisoned_ = false;
};

class PosixDirectoryLock final : public DirectoryLock {
 public:
  explicit PosixDirectoryLock(Descriptor file) : file_(std::move(file)) {}
  // Unlocked by name, not by the close: a forked child may hold the descriptor open.
  ~PosixDirectoryLock() override { ::flock(file_.number(), LOCK_UN); }

 private:
  Descriptor file_;
};

std::string read_holder(int file) {
  char text[32];
  const ssize_t size = uninterrupted([&] { return ::pread(file, text, sizeof(text), 0); });
  std::string holder(text, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  holder = holder.substr(0, holder.find('\n'));
  return holder.empty() ? "another process" : "process " + holder;
}

class PosixDisk final : public Disk {
 public:
  explicit PosixDisk(std::string root) : root_(std::move(root)) {
    while (root_.size() > 1 && root_.back() == '/') root_.pop_back();
  }

  Status make_directories(const std::string& path) override;
  Result<std::unique_ptr<AppendFile>> open_append(const std::string& path) override;
  Result<bool> exists(const std::string& path) override;
  Result<Bytes> read(const std::string& path) override;
  Status truncate(const std::string& path, std::uint64_t size) override;
  Status replace(const std::string& path, ByteView content) override;
  Status remove(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) override;

  std::string real_path(const std::string& path) const override {
    if (path.empty()) return root_;
    return root_.ends_with('/') ? root_ + path : root_ + "/" + path;
  }

 private:
  std::string root_;
};

Status PosixDisk::make_directories(const std::string& path) {
  std::string full = real_path(path);
  while (full.size() > 1 && full.back() == '/') full.pop_back();
  for (std::size_t end = full.find('/', 1);; end = full.find('/', end + 1)) {
    const std::string part = full.substr(0, end);
    if (::mkdir(part.c_str(), 0755) == 0) {
      RW_TRY(sync_folder(folder_of(part)));
    } else if (struct stat found{}; errno != EEXIST) {
      return failed("cannot create folder", part, errno);
    } else if (::stat(part.c_str(), &found) != 0 || !S_ISDIR(found.st_mode)) {
      return failed("cannot create folder", part, ENOTDIR);
    }
    if (end == std::string::npos) return ok_status();
  }
}

Result<std::unique_ptr<AppendFile>> PosixDisk::open_append(const std::string& path) {
  const std::string full = real_path(path);
  Descriptor file = open_file(full, O_WRONLY | O_APPEND | O_CREAT);
  if (!file.is_open()) return failed("cannot open", full, errno);
  struct stat found {};
  if (::fstat(file.number(), &found) != 0) return failed("cannot open", full, errno);
  // Also for a file that was there: whoever created it may have died before its name was durable.
  RW_TRY(sync_folder(folder_of(full)));
  return std::unique_ptr<AppendFile>(std::make_unique<PosixAppendFile>(
      std::move(file), full, static_cast<std::uint64_t>(found.st_size)));
}

Result<bool> PosixDisk::exists(const std::string& path) {
  const std::string full = real_path(path);
  struct stat found {};
  if (::stat(full.c_str(), &found) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return failed("cannot look up", full, errno);
}

Result<Bytes> PosixDisk::read(const std::string& path) {
  const std::string full = real_path(path);
  const Descriptor file = open_file(full, O_RDONLY);
  if (!file.is_open() && errno == ENOENT) return Status{Code::invalid, "there is no file " + full};
  if (!file.is_open()) return failed("cannot open", full, errno);
  Bytes content;
  for (;;) {
    const std::size_t before = content.size();
    content.resize(before + read_step_bytes);
    const ssize_t step = uninterrupted(
        [&] { return ::read(file.number(), content.data() + before, read_step_bytes); });
    if (step < 0) return failed("cannot read", full, errno);
    content.resize(before + static_cast<std::size_t>(step));
    if (step == 0) return content;
  }
}

Status PosixDisk::truncate(const std::string& path, std::uint64_t size) {
  const std::string full = real_path(path);
  const Descriptor file = open_file(full, O_WRONLY);
  if (!file.is_open()) return failed("cannot open", full, errno);
  const auto wanted = static_cast<off_t>(size);
  if (uninterrupted([&] { return ::ftruncate(file.number(), wanted); }) != 0)
    return failed("cannot truncate", full, errno);
  if (uninterrupted([&] { return ::fsync(file.number()); }) != 0)
    return failed("cannot sync", full, errno);
  return ok_status();
}

Status PosixDisk::replace(const std::string& path, ByteView content) {
  const std::string full = real_path(path);
  std::string fresh = folder_of(full) + "/";
  fresh += private_prefix;
  fresh += name_of(full) + ".new";
  {
    const Descriptor file = open_file(fresh, O_WRONLY | O_CREAT | O_TRUNC);
    if (!file.is_open()) return failed("cannot create", fresh, errno);
    std::size_t written = 0;
    int error = write_all(file.number(), content, written);
    if (error == 0 && uninterrupted([&] { return ::fsync(file.number()); }) != 0) error = errno;
    if (error == 0 && ::rename(fresh.c_str(), full.c_str()) != 0) error = errno;
    if (error != 0) {
      ::unlink(fresh.c_str());
      return failed("cannot write", fresh, error);
    }
  }
  return sync_folder(folder_of(full));
}

Status PosixDisk::remove(const std::string& path) {
  const std::string full = real_path(path);
  if (std::remove(full.c_str()) != 0)
    return errno == ENOENT ? ok_status() : failed("cannot remove", full, errno);
  return sync_folder(folder_of(full));
}

Result<std::vector<std::string>> PosixDisk::list(const std::string& path) {
  const std::string full = real_path(path);
  std::vector<std::string> names;
  DIR* const folder = ::opendir(full.c_str());
  if (folder == nullptr && errno == ENOENT) return names;
  if (folder == nullptr) return failed("cannot list", full, errno);
  errno = 0;
  while (const dirent* const entry = ::readdir(folder)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && !name.starts_with(private_prefix)) names.emplace_back(name);
    errno = 0;
  }
  const int error = errno;
  ::closedir(folder);
  if (error != 0) return failed("cannot list", full, error);
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::unique_ptr<DirectoryLock>> PosixDisk::lock(const std::string& path) {
  const std::string folder = real_path(path);
  const std::string full = folder + "/" + std::string(private_prefix) + "lock";
  Descriptor file = open_file(full, O_RDWR | O_CREAT);
  if (!file.is_open()) return failed("cannot open", full, errno);
  // flock belongs to the open file, so a second handle of the same process is refused as well.
  if (uninterrupted([&] { return ::flock(file.number(), LOCK_EX | LOCK_NB); }) != 0) {
    if (errno != EWOULDBLOCK) return failed("cannot lock", full, errno);
    return Status{Code::locked, folder + " is in use by " + read_holder(file.number())};
  }
  // The name is for a person to read; the lock holds without it, on a full disk for one.
  const std::string holder = std::to_string(::getpid()) + "\n";
  std::size_t written = 0;
  if (::ftruncate(file.number(), 0) == 0) write_all(file.number(), holder, written);
  return std::unique_ptr<DirectoryLock>(std::make_unique<PosixDirectoryLock>(std::move(file)));
}

}  // namespace

std::shared_ptr<Disk> make_posix_disk(const std::string& root) {
  return std::make_shared<PosixDisk>(root);
}

}  // namespace ringwright
