#include "plugins/rocksdb/info_log.h"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <ctime>
#include <utility>

#include "engine/base/bounded_file.h"

namespace ringwright {
namespace {

// A longer message is cut; RocksDB's longest, its list of files, stays readable.
constexpr std::size_t message_bytes_max = 4096;

class InfoLog final : public rocksdb::Logger {
 public:
  InfoLog(std::unique_ptr<BoundedFile> file, rocksdb::InfoLogLevel level)
      : rocksdb::Logger(level), file_(std::move(file)) {}

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
    file_->append({line.data(), size});
  }

 protected:
  rocksdb::Status CloseImpl() override { return rocksdb::Status::OK(); }

 private:
  const std::unique_ptr<BoundedFile> file_;
};

}  // namespace

std::shared_ptr<rocksdb::Logger> make_info_log(const std::string& directory, std::size_t bytes_max,
                                               rocksdb::InfoLogLevel level) {
  auto file = BoundedFile::open(directory + "/LOG", bytes_max);
  if (!file) return nullptr;
  return std::make_shared<InfoLog>(std::move(file), level);
}

}  // namespace ringwright
