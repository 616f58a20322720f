#include "plugins/wiredtiger/figures.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "engine/base/limits.h"
#include "plugins/wiredtiger/convert.h"

namespace ringwright {
namespace {

// A cursor for the length of one question.
class Cursor {
 public:
  Cursor(WT_SESSION* session, const char* uri, const char* config) {
    if (session->open_cursor(session, uri, nullptr, config, &cursor_) != 0) cursor_ = nullptr;
  }
  ~Cursor() {
    if (cursor_ != nullptr) cursor_->close(cursor_);
    take_last_error();
  }
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;
  explicit operator bool() const { return cursor_ != nullptr; }
  WT_CURSOR* operator->() const { return cursor_; }
  WT_CURSOR* get() const { return cursor_; }

 private:
  WT_CURSOR* cursor_ = nullptr;
};

std::uint64_t statistic(const Cursor& cursor, int which) {
  if (!cursor) return 0;
  const char* name = nullptr;
  const char* shown = nullptr;
  std::int64_t value = 0;
  cursor->set_key(cursor.get(), which);
  if (cursor->search(cursor.get()) != 0) return 0;
  if (cursor->get_value(cursor.get(), &name, &shown, &value) != 0) return 0;
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, value));
}

double above(std::uint64_t value, std::uint64_t target, std::uint64_t trigger) {
  if (value <= target) return 0;
  if (value >= trigger) return 1;
  return static_cast<double>(value - target) / static_cast<double>(trigger - target);
}

struct Walk {
  Estimate seen;
  bool complete = false;
};

std::uint64_t row_bytes(WT_CURSOR* cursor, ByteView& key) {
  WT_ITEM key_item{};
  WT_ITEM value_item{};
  if (cursor->get_key(cursor, &key_item) != 0 || cursor->get_value(cursor, &value_item) != 0)
    return 0;
  key = to_view(key_item);
  return key_item.size + value_item.size;
}

Walk walk(WT_CURSOR* rows, const KeyRange& range) {
  Walk walked;
  int error = 0;
  if (range.start.empty()) {
    error = rows->next(rows);
  } else {
    const WT_ITEM start = to_item(range.start);
    int side = 0;
    rows->set_key(rows, &start);
    error = rows->search_near(rows, &side);
    if (error == 0 && side < 0) error = rows->next(rows);
  }
  while (error == 0 && walked.seen.rows < limits::wiredtiger_estimate_rows) {
    ByteView key;
    const std::uint64_t bytes = row_bytes(rows, key);
    if (!range.stop.empty() && key >= ByteView(range.stop)) break;
    walked.seen.rows += 1;
    walked.seen.bytes += bytes;
    error = rows->next(rows);
  }
  walked.complete = walked.seen.rows < limits::wiredtiger_estimate_rows;
  rows->reset(rows);
  return walked;
}

// The rows' blocks that are in use, or what of them is in the cache and in no block yet.
std::uint64_t whole_bytes(WT_SESSION* session) {
  const Cursor statistics(session, "statistics:table:rows", "statistics=(fast)");
  const std::uint64_t file = statistic(statistics, WT_STAT_DSRC_BLOCK_SIZE);
  const std::uint64_t unused = statistic(statistics, WT_STAT_DSRC_BLOCK_REUSE_BYTES);
  return std::max(file - std::min(file, unused),
                  statistic(statistics, WT_STAT_DSRC_CACHE_BYTES_INUSE));
}

}  // namespace

CacheFigures read_cache(WT_SESSION* session) {
  const Cursor statistics(session, "statistics:", "statistics=(fast)");
  return {statistic(statistics, WT_STAT_CONN_CACHE_BYTES_INUSE),
          statistic(statistics, WT_STAT_CONN_CACHE_BYTES_DIRTY)};
}

double cache_pressure(const CacheFigures& cache, const WiredtigerOptions& options) {
  return std::max(above(cache.bytes, options.cache_target, options.cache_trigger),
                  above(cache.dirty_bytes, options.dirty_target, options.dirty_trigger));
}

Estimate estimate_range(NativeSession& native, const KeyRange& range) {
  const Walk walked = walk(native.rows, range);
  if (walked.complete) return walked.seen;
  const Cursor random(native.session, rows_table, "next_random=true");
  std::uint64_t drawn = 0;
  std::uint64_t inside = 0;
  std::uint64_t bytes = 0;
  while (random && drawn < limits::wiredtiger_estimate_samples && random->next(random.get()) == 0) {
    ByteView key;
    bytes += row_bytes(random.get(), key);
    drawn += 1;
    if (key >= ByteView(range.start) && (range.stop.empty() || key < ByteView(range.stop)))
      inside += 1;
  }
  if (drawn == 0 || bytes == 0) return walked.seen;
  const std::uint64_t whole = whole_bytes(native.session);
  const std::uint64_t whole_rows = whole / std::max<std::uint64_t>(1, bytes / drawn);
  return {std::max(walked.seen.rows, whole_rows / drawn * inside),
          std::max(walked.seen.bytes, whole / drawn * inside)};
}

std::uint64_t directory_bytes(const std::string& directory) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    struct stat found {};
    if (::stat(entry.path().c_str(), &found) == 0)
      bytes += std::uint64_t{512} * static_cast<std::uint64_t>(found.st_blocks);
  }
  return bytes;
}

}  // namespace ringwright
