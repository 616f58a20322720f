#include "plugins/thrift/poller.h"

#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>

#include "engine/base/check.h"

namespace ringwright::wire {
namespace {

constexpr Poller::Tag wake_tag = UINT64_MAX;
constexpr std::size_t events_at_once = 256;

std::uint32_t bits_of(Poller::Interest interest) {
  std::uint32_t bits = 0;
  if (interest.read) bits |= EPOLLIN;
  if (interest.write) bits |= EPOLLOUT;
  if (interest.shared) bits |= EPOLLEXCLUSIVE;
  return bits;
}

// Of the time that the system sleeps by.
Instant now() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Poller::Poller()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)), event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  RW_CHECK(epoll_.is_open() && event_.is_open());
  add(event_, wake_tag, {});
}

void Poller::add(const Descriptor& socket, Tag tag, Interest interest) {
  epoll_event event{};
  event.events = bits_of(interest);
  event.data.u64 = tag;
  RW_CHECK(::epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, socket.number(), &event) == 0);
}

void Poller::change(const Descriptor& socket, Tag tag, Interest interest) {
  epoll_event event{};
  event.events = bits_of(interest);
  event.data.u64 = tag;
  RW_CHECK(::epoll_ctl(epoll_.number(), EPOLL_CTL_MOD, socket.number(), &event) == 0);
}

void Poller::remove(const Descriptor& socket) {
  ::epoll_ctl(epoll_.number(), EPOLL_CTL_DEL, socket.number(), nullptr);
}

// In between, others that want the processor have it: who wakes this one may be among them.
int Poller::look(std::span<epoll_event> events, Nanoseconds at_most) {
  const Nanoseconds window =
      at_most < 0 ? idle_poll_.window() : std::min(at_most, idle_poll_.window());
  if (window == 0) return 0;
  Instant until = 0;  // not yet known: mostly the first look is the last
  for (;;) {
    const int count =
        ::epoll_wait(epoll_.number(), events.data(), static_cast<int>(events.size()), 0);
    if (count != 0) {
      ++polled_;
      return count;
    }
    if (until == 0)
      until = now() + window;
    else if (now() >= until)
      return 0;
    ::sched_yield();
  }
}

int Poller::sleep(std::span<epoll_event> events, Nanoseconds at_most) {
  timespec span{};
  if (at_most > 0) {
    span.tv_sec = at_most / seconds(1);
    span.tv_nsec = at_most % seconds(1);
  }
  const Instant before = idle_poll_.is_on() ? now() : 0;
  const int count = ::epoll_pwait2(epoll_.number(), events.data(), static_cast<int>(events.size()),
                                   at_most < 0 ? nullptr : &span, nullptr);
  if (at_most == 0) return count;
  ++slept_;
  if (idle_poll_.is_on()) idle_poll_.slept(now() - before);
  return count;
}

const std::vector<Poller::Ready>& Poller::wait(Nanoseconds timeout) {
  std::array<epoll_event, events_at_once> events;
  int count = look(events, timeout);
  if (count == 0) count = sleep(events, timeout);
  ready_.clear();
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.u64 == wake_tag) {
      std::uint64_t woken = 0;
      [[maybe_unused]] const auto read = ::read(event_.number(), &woken, sizeof(woken));
      continue;
    }
    ready_.push_back({event.data.u64, (event.events & EPOLLIN) != 0, (event.events & EPOLLOUT) != 0,
                      (event.events & (EPOLLERR | EPOLLHUP)) != 0});
  }
  return ready_;
}

void Poller::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(event_.number(), &one, sizeof(one));
}

}  // namespace ringwright::wire
