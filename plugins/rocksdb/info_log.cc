#include "plugins/rocksdb/info_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <ctime>
#include <mutex>
#include <utility>

namespace ringwright {
namespace {

// A longer message is cut; RocksDB's longest, its list of files, stays readable.
constexpr std::size_t message_bytes_max = 4096;

class InfoLog final : public rocksdb::Logger {
 public:
  InfoLog(std::string path, std::size_t bytes_max, rocksdb::InfoLogLevel level)
      : rocksdb::Logger(level), path_(std::move(path)), bytes_max_(bytes_max) {
    reopen();
  }
  ~InfoLog() override { close_file(); }

  bool is_open() const { return file_ >= 0; }

  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    std::array<char, message_bytes_max> line;
    std::time_t now = std::time(nullptr);
    std::tm local{};
    ::localtime_r(&now, &local);
    std::size_t size = std::strftime(line.data(), line.size(), "%Y-%m-%d %H:%M:%S ", &local);
    const int wanted = std::vsnprintf(line.data() + size, line.size() - size, format, arguments);
    if (wanted < 0) return;
    size = std::min(size + static_cast<std::size_t>(wanted), line.size() - 1);
    if (line[size - 1] != '\n') line[size++] = '\n';
    append(line.data(), size);
  }

 protected:
  rocksdb::Status CloseImpl() override { return rocksdb::Status::OK(); }

 private:
  void append(const char* bytes, std::size_t size) {
    const std::lock_guard lock(mutex_);
    if (bytes_ + size > bytes_max_) start_over();
    if (file_ < 0) return;
    const ssize_t written = ::write(file_, bytes, size);
    if (written > 0) bytes_ += static_cast<std::size_t>(written);
  }

  void start_over() {
    close_file();
    if (std::rename(path_.c_str(), (path_ + ".old").c_str()) == 0) reopen();
  }

  void reopen() {
    file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    struct stat found {};
    const bool known = file_ >= 0 && ::fstat(file_, &found) == 0;
    bytes_ = known ? static_cast<std::size_t>(found.st_size) : 0;
  }

  void close_file() {
    if (file_ >= 0) ::close(std::exchange(file_, -1));
  }

  const std::string path_;
  const std::size_t bytes_max_;
  std::mutex mutex_;
  int file_ = -1;
  std::size_t bytes_ = 0;
};

}  // namespace

std::shared_ptr<rocksdb::Logger> make_info_log(const std::string& directory, std::size_t bytes_max,
                                               rocksdb::InfoLogLevel level) {
  auto log = std::make_shared<InfoLog>(directory + "/LOG", bytes_max, level);
  if (!log->is_open()) return nullptr;
  return log;
}

}  // namespace ringwright
