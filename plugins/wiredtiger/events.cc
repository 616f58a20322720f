#include "plugins/wiredtiger/events.h"

#include <array>
#include <cerrno>
#include <ctime>
#include <exception>
#include <utility>

#include "engine/base/limits.h"

namespace ringwright {
namespace {

thread_local LastError last_error;

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// "[1795823407:315815][2422:0x7eff5332e580], WT_CURSOR.search: ..." without its brackets.
std::string_view without_stamp(std::string_view message) {
  if (!message.starts_with('[')) return message;
  const std::size_t end = message.find("], ");
  return end == message.npos ? message : message.substr(end + 3);
}

// Cuts what names functions of the library and lines in them.
std::string for_people(std::string_view message) {
  std::string text(without_stamp(message));
  const std::size_t function = text.find(": __");
  if (function == text.npos) return text;
  const std::size_t end = text.find(": ", function + 2);
  return end == text.npos ? text : text.erase(function, end - function);
}

Trouble cause_of(int error, std::string_view message) {
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) return Trouble::full;
  if (error == WT_TRY_SALVAGE || contains(message, "checksum error") ||
      contains(message, "fatal read error") || contains(message, "turtle file read error"))
    return Trouble::corrupt;
  return Trouble::failed;
}

void keep_error(std::string_view message) {
  try {
    last_error.said = for_people(message);
  } catch (...) {
    last_error.said.clear();
  }
}

// The first one is the precise one; others say in which part of what it was met.
int keep_error_quietly(WT_EVENT_HANDLER*, WT_SESSION*, int, const char* message) {
  if (last_error.said.empty()) keep_error(message);
  return 0;
}
int drop_message(WT_EVENT_HANDLER*, WT_SESSION*, const char*) { return 0; }

}  // namespace

LastError take_last_error() { return std::exchange(last_error, {}); }

WT_EVENT_HANDLER* quiet_events() {
  static WT_EVENT_HANDLER handler{keep_error_quietly, drop_message, nullptr, nullptr};
  return &handler;
}

Events::Events(const std::string& directory, std::function<bool()> at_checkpoint)
    : WT_EVENT_HANDLER{on_error, on_message, nullptr, nullptr},
      file_(BoundedFile::open(directory + "/LOG", limits::wiredtiger_log_bytes_max)),
      at_checkpoint_(std::move(at_checkpoint)) {}

void Events::note(std::string_view line) {
  if (!file_ || is_silent_.load()) return;
  std::array<char, 64> stamp;
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  const std::size_t size = std::strftime(stamp.data(), stamp.size(), "%Y-%m-%d %H:%M:%S ", &local);
  std::string text(stamp.data(), size);
  file_->append(text.append(without_stamp(line)).append("\n"));
}

int Events::on_error(WT_EVENT_HANDLER* self, WT_SESSION*, int error, const char* message) {
  try {
    static_cast<Events*>(self)->take_error(error, message);
  } catch (...) {
    static_cast<Events*>(self)->fail();
  }
  return 0;
}

int Events::on_message(WT_EVENT_HANDLER* self, WT_SESSION*, const char* message) {
  try {
    static_cast<Events*>(self)->take_message(message);
  } catch (...) {
    static_cast<Events*>(self)->fail();
  }
  return 0;
}

void Events::take_error(int error, std::string_view message) {
  if (contains(message, "__wt_bm_corrupt_dump")) return;  // a whole block in hex
  note(message);
  // Not a panic, but its file takes no more blocks.
  const bool is_stuck = contains(message, "the checkpoint failed, the system must restart");
  if (error == WT_PANIC || is_stuck) {
    give_up();
    if (last_error.said.empty()) keep_error(message);
    return;
  }
  if (error == 0 && !contains(message, "checksum error")) {
    if (last_error.said.empty()) keep_error(message);
    return;
  }
  keep_error(message);
  blame(error, message);
}

void Events::tell(int error, const std::string& message) {
  note(message);
  keep_error(message);
  blame(error, message);
}

void Events::blame(int error, std::string_view message) {
  const Trouble cause = cause_of(error, message);
  if (cause == Trouble::full) space_missed_.store(clock_->now());
  if (cause == Trouble::corrupt) last_error.is_damage = true;
  last_cause_.store(cause);
}

void Events::give_up() {
  Trouble expected = Trouble::none;
  trouble_.compare_exchange_strong(expected, last_cause_.load());
}

bool Events::lacks_space() const {
  const Instant missed = space_missed_.load(std::memory_order_relaxed);
  return missed != 0 && clock_->now() - missed < limits::wiredtiger_space_pause;
}

// Where a full checkpoint stands is told in no other way.
void Events::take_message(std::string_view message) {
  if (!contains(message, "checkpoint")) return note(message);
  if (contains(message, "Full database checkpoint committing transaction") && at_checkpoint_ &&
      !at_checkpoint_())
    fail();
}

}  // namespace ringwright
