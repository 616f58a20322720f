#include "replication/runtime/temporary_directory.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace ringwright {

Result<std::unique_ptr<TemporaryDirectory>> TemporaryDirectory::make(const std::string& prefix) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::temp_directory_path(error);
  if (error) return Status{Code::io_error, "no folder for temporary files: " + error.message()};
  std::string path = (folder / (prefix + "XXXXXX")).string();
  if (::mkdtemp(path.data()) == nullptr)
    return Status{Code::io_error, "cannot create a folder in " + folder.string() + ": " +
                                      std::generic_category().message(errno)};
  return std::unique_ptr<TemporaryDirectory>(new TemporaryDirectory(std::move(path)));
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace ringwright
