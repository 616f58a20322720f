#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ringwright {

enum class Severity : std::uint8_t { debug, info, warning, error };

// Something that an operator needs to know. The name is stable and lower-case ("peer_refused"), for
// programs; the message is a sentence, for people.
struct Event {
  Severity severity = Severity::info;
  std::string name;
  std::string message;
  std::vector<std::pair<std::string, std::string>> fields;
};

// Where events go. Safe to call from any thread; never blocks for long.
class EventLog {
 public:
  virtual ~EventLog() = default;
  virtual void note(const Event& event) = 0;
};

}  // namespace ringwright
