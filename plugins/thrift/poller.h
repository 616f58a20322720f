#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/base/time.h"
#include "plugins/thrift/idle_poll.h"
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

  // About `timeout` at most (0: only looks; negative: for ever), or until `wake`. The vector is
  // reused.
  const std::vector<Ready>& wait(Nanoseconds timeout);
  void wake();

  // From now on `wait` looks for so long before it sleeps, where that pays.
  void set_idle_poll(Nanoseconds window_max) { idle_poll_ = IdlePoll(window_max); }
  // Waits whose end was found by looking, and those that slept.
  std::uint64_t polled() const { return polled_; }
  std::uint64_t slept() const { return slept_; }

 private:
  int look(std::span<epoll_event> events, Nanoseconds at_most);
  int sleep(std::span<epoll_event> events, Nanoseconds at_most);

  Descriptor epoll_;
  Descriptor event_;
  std::vector<Ready> ready_;
  IdlePoll idle_poll_;
  std::uint64_t polled_ = 0;
  std::uint64_t slept_ = 0;
};

}  // namespace ringwright::wire
