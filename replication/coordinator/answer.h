#pragma once

#include <cstdint>
#include <string>

#include "engine/base/status.h"
#include "replication/transport/message.h"

namespace ringwright {

// How an operation ends for its client.
struct Answer {
  Outcome outcome = Outcome::ok;
  Status status;
  std::uint32_t required = 0;
  std::uint32_t received = 0;  // good answers; of a refused get, replicas that were there
};

inline std::string count_text(std::uint32_t received, std::uint32_t required) {
  return std::to_string(received) + " of the " + std::to_string(required) + " needed";
}

}  // namespace ringwright
