#include "replication/daemon/line_log.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

namespace ringwright {
namespace {

// A pipe that can be written at all takes this much at once.
constexpr std::size_t line_bytes_max = 4096;
constexpr int write_wait_ms = 100;

std::string time_text(std::uint64_t wall_us) {
  const auto whole = static_cast<std::time_t>(wall_us / 1'000'000);
  std::tm parts{};
  gmtime_r(&whole, &parts);
  std::array<char, 32> date{};
  std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::array<char, 16> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%06uZ",
                static_cast<unsigned>(wall_us % 1'000'000));
  return std::string(date.data()) + fraction.data();
}

std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// As it is where nobody can misread it, else in quotes.
std::string field_text(const std::string& value) {
  const bool is_plain = !value.empty() && value.find_first_of(" \"=\\") == value.npos;
  std::string safe = quoted(value);
  return is_plain && safe == '"' + value + '"' ? value : safe;
}

// Without the quotes around it.
std::string message_text(const std::string& message) {
  std::string safe;
  for (const char c : message) {
    if (static_cast<unsigned char>(c) >= ' ' && c != '\x7f') {
      safe.push_back(c);
      continue;
    }
    std::array<char, 8> escaped{};
    std::snprintf(escaped.data(), escaped.size(), "\\x%02x",
                  static_cast<unsigned>(static_cast<unsigned char>(c)));
    safe += escaped.data();
  }
  return safe;
}

}  // namespace

std::string_view severity_name(Severity severity) {
  switch (severity) {
    case Severity::debug:
      return "debug";
    case Severity::info:
      return "info";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "";
}

std::string log_line(const Event& event, std::uint64_t wall_us, LogFormat format) {
  const std::string severity(severity_name(event.severity));
  if (format == LogFormat::json) {
    nlohmann::ordered_json line;
    line["time"] = time_text(wall_us);
    line["severity"] = severity;
    line["event"] = event.name;
    line["message"] = event.message;
    line["fields"] = nlohmann::ordered_json::object();
    for (const auto& [name, value] : event.fields) line["fields"][name] = value;
    return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  std::string line =
      time_text(wall_us) + " " + severity + " " + event.name + ": " + message_text(event.message);
  for (const auto& [name, value] : event.fields) line += " " + name + "=" + field_text(value);
  return line;
}

LineLog::LineLog(int descriptor, LogFormat format, Severity least, std::shared_ptr<Clock> clock)
    : descriptor_(descriptor), format_(format), least_(least), clock_(std::move(clock)) {}

void LineLog::note(const Event& event) {
  if (event.severity < least_) return;
  std::string line = log_line(event, clock_->wall_us(), format_);
  // Only an absurd event is that long; half a JSON document would be worse than none.
  if (line.size() >= line_bytes_max) {
    Event cut = event;
    cut.message.resize(std::min<std::size_t>(cut.message.size(), 256));
    cut.fields = {{"cut_bytes", std::to_string(line.size())}};
    line = log_line(cut, clock_->wall_us(), format_);
  }
  line += '\n';
  const std::lock_guard lock(mutex_);
  pollfd writable{descriptor_, POLLOUT, 0};
  std::string_view left = line;
  while (!left.empty()) {
    if (poll(&writable, 1, write_wait_ms) != 1) break;
    const ssize_t written = write(descriptor_, left.data(), left.size());
    if (written > 0)
      left.remove_prefix(static_cast<std::size_t>(written));
    else if (errno != EINTR && errno != EAGAIN)
      break;
  }
  if (!left.empty()) ++dropped_;
}

std::shared_ptr<LineLog> make_line_log(int descriptor, std::string_view format,
                                       std::string_view level) {
  Severity least = Severity::info;
  for (const Severity severity :
       {Severity::debug, Severity::info, Severity::warning, Severity::error})
    if (severity_name(severity) == level) least = severity;
  return std::make_shared<LineLog>(descriptor, format == "json" ? LogFormat::json : LogFormat::text,
                                   least, make_system_clock());
}

}  // namespace ringwright
