#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "engine/base/clock.h"
#include "engine/base/event_log.h"

namespace ringwright {

enum class LogFormat : std::uint8_t { text, json };

std::string_view severity_name(Severity severity);  // as in log.level
// One line without its end. Control characters are escaped, so an event is never two lines.
//   text  2026-01-31T12:00:00.000123Z info node_ready: node1 serves. client=127.0.0.1:7480
//   json  {"time":"...","severity":"info","event":"node_ready","message":"...","fields":{...}}
std::string log_line(const Event& event, std::uint64_t wall_us, LogFormat format);

// Writes each event as one line to an open file. A reader that does not keep up costs lines and
// not the node's time: they are dropped, and counted. Threads: any.
class LineLog final : public EventLog {
 public:
  // Events below `least` are left out. The descriptor stays the caller's.
  LineLog(int descriptor, LogFormat format, Severity least, std::shared_ptr<Clock> clock);

  void note(const Event& event) override;
  std::uint64_t dropped() const { return dropped_; }

 private:
  const int descriptor_;
  const LogFormat format_;
  const Severity least_;
  const std::shared_ptr<Clock> clock_;
  std::mutex mutex_;  // of the descriptor: lines do not mix
  std::atomic<std::uint64_t> dropped_{0};
};

// As [log] says: `level` is a severity's name.
std::shared_ptr<LineLog> make_line_log(int descriptor, std::string_view format,
                                       std::string_view level);

}  // namespace ringwright
