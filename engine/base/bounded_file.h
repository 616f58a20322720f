#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>

#include "engine/base/bytes.h"

namespace ringwright {

// A file of messages that stays small: a full one takes the name `<path>.old`, so the two together
// take at most twice `bytes_max` and one message. What cannot be written is dropped. Threads: any.
class BoundedFile {
 public:
  // Appends to what is there. Null when the file cannot be opened.
  static std::unique_ptr<BoundedFile> open(std::string path, std::size_t bytes_max);
  ~BoundedFile();
  BoundedFile(const BoundedFile&) = delete;
  BoundedFile& operator=(const BoundedFile&) = delete;

  void append(ByteView line);

 private:
  BoundedFile(std::string path, std::size_t bytes_max);
  void start_over();
  void reopen();
  void close_file();

  const std::string path_;
  const std::size_t bytes_max_;
  std::mutex mutex_;
  int file_ = -1;
  std::size_t bytes_ = 0;
};

}  // namespace ringwright
