#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/time.h"
#include "plugins/thrift/socket.h"

namespace ringwright::wire {

// Waits for sockets (epoll). Threads: `wake` any; the rest belongs to one.
class Poller {
 public:
  using Tag = std::uint64_t;
  struct Ready {
    Tag tag = 0;
    bool readable = false;
    bool writable = false;
    bool broken = false;  // an error or a hang-up: reading will tell
  };

  Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  struct Interest {
    bool read = true;
    bool write = false;
    bool shared = false;  // of several pollers that watch it one is told
    friend bool operator==(const Interest&, const Interest&) = default;
  };
  void add(const Descriptor& socket, Tag tag, Interest interest);
  void change(const Descriptor& socket, Tag tag, Interest interest);
  void remove(const Descriptor& socket);

  // At most `timeout` (0: only looks; negative: for ever), or until `wake`. The vector is reused.
  const std::vector<Ready>& wait(Nanoseconds timeout);
  void wake();

 private:
  Descriptor epoll_;
  Descriptor event_;
  std::vector<Ready> ready_;
};

}  // namespace ringwright::wire
