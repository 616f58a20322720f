#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <utility>

#include "engine/base/limits.h"
#include "replication/transport/message.h"

namespace ringwright {

// The puts that came lately, by who sent them under which number. A transport may repeat a message;
// the second coming of a put could take effect after the first was answered `failed`, so it is not
// looked at. Bounded: the oldest are forgotten first.
class RecentRequests {
 public:
  // True when this one came before.
  bool is_repeat(Endpoint source, OperationId operation) {
    if (!known_.emplace(source, operation).second) return true;
    in_order_.emplace_back(source, operation);
    if (in_order_.size() > limits::request_window_count) {
      known_.erase(in_order_.front());
      in_order_.pop_front();
    }
    return false;
  }

 private:
  using Name = std::pair<Endpoint, OperationId>;
  std::set<Name> known_;
  std::deque<Name> in_order_;
};

}  // namespace ringwright
