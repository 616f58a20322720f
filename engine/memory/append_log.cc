#include "engine/memory/append_log.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "engine/base/check.h"

namespace ringwright {
namespace {

constexpr std::string_view name_prefix = "log.";

std::optional<std::uint64_t> log_number(std::string_view name) {
  if (!name.starts_with(name_prefix)) return std::nullopt;
  name.remove_prefix(name_prefix.size());
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
  const bool whole = parsed.ec == std::errc{} && parsed.ptr == name.data() + name.size();
  if (!whole || name.starts_with('0')) return std::nullopt;
  return number;
}

}  // namespace

AppendLog::AppendLog(std::shared_ptr<Disk> disk, std::string path, Durability durability)
    : disk_(std::move(disk)), path_(std::move(path)), durability_(durability) {}

std::string AppendLog::file_name(std::uint64_t number) const {
  return path_ + "/" + std::string(name_prefix) + std::to_string(number);
}

Status AppendLog::open(const LogVisitor& visit) {
  const auto names = disk_->list(path_);
  if (!names) return names.error();
  std::vector<std::uint64_t> numbers;
  for (const std::string& name : *names)
    if (const auto number = log_number(name)) numbers.push_back(*number);
  std::sort(numbers.begin(), numbers.end());

  number_ = numbers.empty() ? 1 : numbers.back();
  if (numbers.empty()) RW_TRY(disk_->replace(file_name(number_), encode_log_header(0, 0)));
  RW_TRY(replay(visit));
  for (const std::uint64_t number : numbers)
    if (number != number_) RW_TRY(disk_->remove(file_name(number)));
  return ok_status();
}

Status AppendLog::replay(const LogVisitor& visit) {
  const std::string name = file_name(number_);
  const auto content = disk_->read(name);
  if (!content) return content.error();
  const auto replayed = replay_log(name, *content, visit);
  if (!replayed) return replayed.error();
  if (replayed->good_bytes < content->size()) RW_TRY(disk_->truncate(name, replayed->good_bytes));
  auto file = disk_->open_append(name);
  if (!file) return file.error();
  if ((*file)->size() != replayed->good_bytes)
    return {Code::io_error, "file '" + name + "' changed while it was opened"};
  file_ = std::move(*file);
  has_old_format_ = replayed->format < log_format_version;
  base_ = replayed->base_sequence;
  appended_ = replayed->last_sequence;
  // What was read back may be in the page cache alone; only the snapshot is known to rest on disk.
  synced_ = base_;
  return ok_status();
}

Status AppendLog::fail(const Status& cause) {
  const std::lock_guard lock(mutex_);
  if (failure_.is_ok())
    failure_ = {Code::io_error, "the log in '" + path_ + "' takes no more until it is reopened (" +
                                    cause.message() + ")"};
  return failure_;
}

Status AppendLog::append(std::uint64_t sequence, std::span<const LogOperation> operations) {
  std::shared_ptr<AppendFile> file;
  std::uint64_t unproven = 0;
  {
    const std::lock_guard lock(mutex_);
    RW_TRY(failure_);
    RW_CHECK(sequence == appended_ + 1);
    file = file_;
    if (durability_ == Durability::disk) unproven = appended_ - synced_;
  }
  Bytes record;
  append_log_record(record, sequence, unproven, operations);
  const Status status = file->append(record);
  if (status.code() == Code::no_space) return status;
  if (!status.is_ok()) {
    fail(status).ignore("this first failure is the one to tell");
    return {Code::in_doubt, "write " + std::to_string(sequence) +
                                " may or may not be in the log (" + status.message() + ")"};
  }
  const std::lock_guard lock(mutex_);
  appended_ = sequence;
  return ok_status();
}

Status AppendLog::sync(std::uint64_t sequence, MayBlock may_block) {
  std::unique_lock lock(mutex_);
  const std::uint64_t wanted = std::min(sequence, appended_);
  for (;;) {
    RW_TRY(failure_);
    if (wanted <= synced_) return ok_status();
    if (may_block == MayBlock::no) return {Code::would_block, "this needs a disk sync"};
    if (!syncing_) break;
    sync_ended_.wait(lock);
  }
  syncing_ = true;
  const std::shared_ptr<AppendFile> file = file_;
  const std::uint64_t covered = appended_;
  lock.unlock();
  const Status status = file->sync();
  const Status answer = status.is_ok() ? status : fail(status);
  lock.lock();
  syncing_ = false;
  if (answer.is_ok()) synced_ = std::max(synced_, covered);
  lock.unlock();
  sync_ended_.notify_all();
  return answer;
}

Status AppendLog::rewrite(std::uint64_t base_sequence, ByteView snapshot) {
  RW_TRY(failure());
  const std::uint64_t old_number = number_;
  const std::string fresh = file_name(old_number + 1);
  const Status replaced = disk_->replace(fresh, snapshot);
  if (!replaced.is_ok()) {
    // The new file may be there all the same, and a later open would take it for the log.
    const Status removed = disk_->remove(fresh);
    return removed.is_ok() ? replaced : fail(removed);
  }
  auto file = disk_->open_append(fresh);
  if (!file) return fail(file.error());
  {
    const std::lock_guard lock(mutex_);
    file_ = std::move(*file);
    number_ = old_number + 1;
    base_ = base_sequence;
    appended_ = base_sequence;
    synced_ = base_sequence;
  }
  disk_->remove(file_name(old_number)).ignore("the next open removes it");
  return ok_status();
}

Status AppendLog::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

std::uint64_t AppendLog::base_sequence() const {
  const std::lock_guard lock(mutex_);
  return base_;
}

std::uint64_t AppendLog::last_sequence() const {
  const std::lock_guard lock(mutex_);
  return appended_;
}

std::uint64_t AppendLog::file_bytes() const {
  const std::lock_guard lock(mutex_);
  return file_->size();
}

}  // namespace ringwright
