#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "plugins/thrift/poller.h"
#include "replication/transport/message.h"

namespace ringwright::wire {

// Where the shards of one node leave messages for each other: for a shard whose connection brought
// what another one owns. Bounded; one wake for what one wake-up leaves. Threads: any.
class Switchboard {
 public:
  explicit Switchboard(std::uint32_t shards) : boxes_(shards) {}

  std::uint32_t shards() const { return static_cast<std::uint32_t>(boxes_.size()); }
  Poller& poller(std::uint32_t shard) { return boxes_[shard].poller; }

  // Moves the messages over; what exceeds the bound is dropped and counted.
  std::uint64_t leave(std::uint32_t shard, std::vector<Envelope>& messages) {
    Box& box = boxes_[shard];
    std::uint64_t dropped = 0;
    bool wakes = false;
    {
      const std::lock_guard lock(box.mutex);
      wakes = box.messages.empty();
      for (Envelope& message : messages) {
        if (box.messages.size() >= limits::mailbox_messages_max)
          ++dropped;
        else
          box.messages.push_back(std::move(message));
      }
    }
    messages.clear();
    if (wakes) box.poller.wake();
    return dropped;
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
