#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>

#include "engine/base/disk.h"

namespace ringwright {

// A fresh folder, removed with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = testing::TempDir() + "ringwright_XXXXXX";
    path_ = ::mkdtemp(pattern.data()) == nullptr ? std::string() : pattern;
    RW_CHECK(!path_.empty());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A real disk in a folder that goes with its last owner.
inline std::shared_ptr<Disk> make_temporary_disk() {
  struct Holder {
    TemporaryFolder folder;
    std::shared_ptr<Disk> disk = make_posix_disk(folder.path());
  };
  const auto holder = std::make_shared<Holder>();
  return {holder, holder->disk.get()};
}

}  // namespace ringwright
