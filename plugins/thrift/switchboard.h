#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "plugins/thrift/poller.h"
#include "replication/transport/message.h"

namespace ringwright::wire {

// Endpoints of clients have this bit.
constexpr Endpoint client_bit = 0x80000000;

// Where the shards of one node leave messages for each other: for a shard whose connection brought
// what another one owns. Bounded; one wake for what one wake-up leaves. Threads: any.
class Switchboard {
 public:
  explicit Switchboard(std::uint32_t shards) : boxes_(shards) {}

  std::uint32_t shards() const { return static_cast<std::uint32_t>(boxes_.size()); }
  Poller& poller(std::uint32_t shard) { return boxes_[shard].poller; }

  // Moves the messages over; what exceeds the bound stays. Replies to clients always fit: there are
  // no more than their connections have calls.
  void leave(std::uint32_t shard, std::vector<Envelope>& messages) {
    Box& box = boxes_[shard];
    bool wakes = false;
    std::size_t left = 0;
    {
      const std::lock_guard lock(box.mutex);
      wakes = box.messages.empty();
      for (Envelope& message : messages) {
        if (box.messages.size() < limits::mailbox_messages_max ||
            (message.target & client_bit) != 0)
          box.messages.push_back(std::move(message));
        else if (&messages[left++] != &message)
          messages[left - 1] = std::move(message);
      }
    }
    messages.resize(left);
    if (wakes) box.poller.wake();
  }

  void take(std::uint32_t shard, std::vector<Envelope>& into) {
    into.clear();
    Box& box = boxes_[shard];
    const std::lock_guard lock(box.mutex);
    into.swap(box.messages);
  }

 private:
  struct Box {
    Poller poller;
    std::mutex mutex;  // guards messages
    std::vector<Envelope> messages;
  };
  std::vector<Box> boxes_;
};

}  // namespace ringwright::wire
