#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "engine/base/bounded_file.h"

namespace ringwright {

std::unique_ptr<BoundedFile> BoundedFile::open(std::string path, std::size_t bytes_max) {
  std::unique_ptr<BoundedFile> file(new BoundedFile(std::move(path), bytes_max));
  return file->file_ < 0 ? nullptr : std::move(file);
}

BoundedFile::BoundedFile(std::string path, std::size_t bytes_max)
    : path_(std::move(path)), bytes_max_(bytes_max) {
  reopen();
}

BoundedFile::~BoundedFile() { close_file(); }

void BoundedFile::append(ByteView line) {
  const std::lock_guard lock(mutex_);
  if (bytes_ + line.size() > bytes_max_) start_over();
  if (file_ < 0) return;
  const ssize_t written = ::write(file_, line.data(), line.size());
  if (written > 0) bytes_ += static_cast<std::size_t>(written);
}

void BoundedFile::start_over() {
  close_file();
  if (std::rename(path_.c_str(), (path_ + ".old").c_str()) == 0) reopen();
}

void BoundedFile::reopen() {
  file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  struct stat found {};
  const bool known = file_ >= 0 && ::fstat(file_, &found) == 0;
  bytes_ = known ? static_cast<std::size_t>(found.st_size) : 0;
}

void BoundedFile::close_file() {
  if (file_ >= 0) ::close(std::exchange(file_, -1));
}

}  // namespace ringwright
