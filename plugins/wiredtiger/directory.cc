#include "plugins/wiredtiger/directory.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "engine/engine_directory.h"
#include "plugins/wiredtiger/session_pool.h"

namespace ringwright {
namespace {

constexpr std::string_view engine_name = "wiredtiger";
constexpr std::uint32_t directory_format = 1;
constexpr std::string_view engine_file = "ENGINE";
constexpr std::string_view opens_file = "OPENS";
// Stands in the directory while it is being copied.
constexpr std::string_view copying_file = "COPYING";
constexpr std::string_view ballast_file = "BALLAST";
constexpr std::string_view turtle_file = "WiredTiger.turtle";
constexpr std::string_view backup_file = "WiredTiger.backup";
constexpr std::string_view log_file_prefix = "WiredTigerLog.";
constexpr int sequence_bits_of_an_open = 40;
// What WiredTiger writes at the head of a file when it creates it.
constexpr std::uintmax_t empty_file_bytes = 4096;

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The parent of a path with '/' between its parts; empty for a single part.
std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

}  // namespace

Directory::Directory(std::shared_ptr<Disk> disk, std::string path)
    : disk_(std::move(disk)), path_(std::move(path)), real_path_(disk_->real_path(path_)) {}

std::string Directory::ballast() const { return real_path_ + "/" + std::string(ballast_file); }

Result<std::shared_ptr<DirectoryLock>> Directory::claim() const {
  RW_TRY(disk_->make_directories(path_));
  auto lock = disk_->lock(path_);
  if (!lock) return lock.error();
  RW_TRY(claim_engine_directory(*disk_, path_, engine_name, directory_format));
  const auto names = disk_->list(path_);
  if (!names) return names.error();
  RW_TRY(check_not_headless(*names));
  RW_TRY(forget_first_open(*names));
  RW_TRY(forget_copying());
  return std::shared_ptr<DirectoryLock>(std::move(*lock));
}

// WiredTiger takes a directory without its index files for a new database and would silently begin
// again beside rows that somebody still needs.
Status Directory::check_not_headless(const Names& names) const {
  if (!has(names, opens_file)) return ok_status();  // a first open that did not complete
  const auto missing = [&](std::string_view name) -> Status {
    return {Code::corrupt, "directory '" + path_ + "' lacks the file " + std::string(name)};
  };
  if (!has(names, "WiredTiger")) return missing("WiredTiger");
  if (!has(names, rows_file)) return missing(rows_file);
  // A copy has this in the stead of the other two until it is opened.
  if (has(names, backup_file)) return ok_status();
  if (!has(names, turtle_file)) return missing(turtle_file);
  if (!has(names, "WiredTiger.wt")) return missing("WiredTiger.wt");
  return ok_status();
}

// A first open that was killed may leave files that WiredTiger does not go on with. As it did not
// complete, nothing was written, and the file of the rows is still without a block: begin anew.
Status Directory::forget_first_open(const Names& names) const {
  if (has(names, opens_file)) return ok_status();
  if (has(names, rows_file)) {
    std::error_code error;
    const auto bytes = std::filesystem::file_size(real_path_ + "/" + rows_file, error);
    if (error || bytes > empty_file_bytes) return ok_status();
  }
  for (const std::string& name : names)
    if (name.starts_with("WiredTiger") || name == rows_file) RW_TRY(disk_->remove(file(name)));
  return ok_status();
}

// The directory's own index is newer than that of a copy which was not completed.
Status Directory::forget_copying() const {
  const auto names = disk_->list(path_);
  if (!names) return names.error();
  if (!has(*names, copying_file)) return ok_status();
  if (has(*names, backup_file) && has(*names, turtle_file))
    RW_TRY(disk_->remove(file(backup_file)));
  return disk_->remove(file(copying_file));
}

Result<bool> Directory::has_log() const {
  const auto names = disk_->list(path_);
  if (!names) return names.error();
  return std::any_of(names->begin(), names->end(),
                     [](const std::string& name) { return name.starts_with(log_file_prefix); });
}

// The file appears once the first open has made all others.
Result<std::uint64_t> Directory::next_start() const {
  const std::string name = file(opens_file);
  const auto exists = disk_->exists(name);
  if (!exists) return exists.error();
  std::uint64_t opens = 0;
  if (*exists) {
    const auto text = disk_->read(name);
    if (!text) return text.error();
    const char* const end = text->data() + text->size();
    const auto parsed = std::from_chars(text->data(), end, opens);
    if (parsed.ec != std::errc() || parsed.ptr == end || *parsed.ptr != '\n' ||
        parsed.ptr + 1 != end)
      return Status(Code::corrupt, "file '" + name + "' is not a number");
  }
  RW_TRY(disk_->replace(name, std::to_string(opens + 1) + "\n"));
  return (opens + 1) << sequence_bits_of_an_open;
}

Status Directory::begin_copy() const { return disk_->replace(file(copying_file), ""); }
Status Directory::end_copy() const { return disk_->remove(file(copying_file)); }

Result<std::string> Directory::make_target(const std::string& path) const {
  std::string target = disk_->real_path(path);
  if (target.empty()) return Status(Code::invalid, "checkpoint needs a real disk");
  const auto there = disk_->list(path);
  if (!there) return there.error();
  if (!there->empty())
    return Status(Code::invalid, "checkpoint to '" + path + "': the directory is not empty");
  const std::string parent = parent_of(path);
  if (!parent.empty()) RW_TRY(disk_->make_directories(parent));
  RW_TRY(disk_->make_directories(path));
  return target;
}

// ENGINE comes last and is what makes the copy an engine's directory: a half-made one is refused.
Status Directory::complete_copy(const std::string& path) const {
  for (const std::string_view name : {opens_file, engine_file}) {
    const auto content = disk_->read(file(name));
    if (!content) return content.error();
    RW_TRY(disk_->replace(path + "/" + std::string(name), *content));
  }
  return ok_status();
}

}  // namespace ringwright
