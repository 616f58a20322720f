#include "bench/wire/load_client.h"

#include <errno.h>
#include <sys/epoll.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <deque>
#include <optional>

#include "bench/bench_support.h"
#include "bench/wire/interrupt.h"
#include "bench/wire/socket.h"
#include "engine/base/check.h"
#include "engine/base/random.h"

namespace ringwright::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t key_bytes = 16;
constexpr std::size_t input_bytes = 256 * 1024;
constexpr std::size_t filler_bytes = 64 * 1024;
constexpr int epoll_wait_ms = 100;

std::uint64_t nanoseconds(Clock::duration duration) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count());
}

}  // namespace

std::uint64_t LoadResult::error_count() const {
  std::uint64_t count = 0;
  for (const auto& [code, times] : errors) count += times;
  return count;
}

std::string LoadResult::complaint() const {
  std::string text;
  const auto add = [&](std::uint64_t count, const std::string& what) {
    if (count > 0) text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + what;
  };
  for (const auto& [code, count] : errors) add(count, code);
  add(mismatches, "answers that do not fit their request");
  add(absent, "gets that found nothing");
  add(siblings, "gets that found siblings");
  if (!first_error.empty()) text += "; the first error: " + first_error;
  return text;
}

namespace {

// The context that each key's last put answered with. They lie all over a memory larger than a
// cache, so each has its bytes where its number says, and can be asked for ahead.
class Contexts {
 public:
  explicit Contexts(std::size_t keys) : count_(keys), bytes_(keys * stride_, '\0') {}

  ByteView of(std::size_t key) const {
    std::uint32_t size = 0;
    std::memcpy(&size, at(key), sizeof(size));
    return {at(key) + sizeof(size), size};
  }
  void set(std::size_t key, ByteView context) {
    while (sizeof(std::uint32_t) + context.size() > stride_) widen();
    const auto size = static_cast<std::uint32_t>(context.size());
    std::memcpy(at(key), &size, sizeof(size));
    std::memcpy(at(key) + sizeof(size), context.data(), context.size());
  }
  void prefetch(std::size_t key) const {
    for (std::size_t offset = 0; offset < stride_; offset += cache_line_bytes)
      __builtin_prefetch(at(key) + offset);
  }

 private:
  static constexpr std::size_t cache_line_bytes = 64;

  char* at(std::size_t key) { return bytes_.data() + key * stride_; }
  const char* at(std::size_t key) const { return bytes_.data() + key * stride_; }
  void widen() {
    Bytes wider(count_ * (stride_ + cache_line_bytes), '\0');
    for (std::size_t key = 0; key < count_; ++key)
      std::memcpy(wider.data() + key * (stride_ + cache_line_bytes), at(key), stride_);
    bytes_ = std::move(wider);
    stride_ += cache_line_bytes;
  }

  std::size_t count_;
  std::size_t stride_ = 3 * cache_line_bytes;
  Bytes bytes_;
};

}  // namespace

// The key space, and what is remembered of each key.
class LoadClient::Keys {
 public:
  explicit Keys(const LoadSettings& settings) : random_(settings.seed, "load client") {
    names_.resize(settings.keys * key_bytes);
    for (std::size_t i = 0; i < settings.keys; ++i) {
      const std::string number = std::to_string(i);
      std::memcpy(names_.data() + i * key_bytes, "key0000000000000", key_bytes);
      std::memcpy(names_.data() + (i + 1) * key_bytes - number.size(), number.data(),
                  number.size());
    }
    if (settings.contexts) {
      contexts_.emplace(settings.keys);
      busy_.resize(settings.keys);
    }
    for (std::size_t i = 0; i < filler_bytes + settings.value_bytes; ++i)
      filler_ += static_cast<char>(random_.next());
    value_.resize(settings.value_bytes);
  }

  std::size_t count() const { return names_.size() / key_bytes; }
  ByteView name(std::size_t key) const {
    return ByteView(names_).substr(key * key_bytes, key_bytes);
  }
  ByteView context(std::size_t key) const { return contexts_ ? contexts_->of(key) : ByteView(); }

  std::size_t draw() { return random_.below(count()); }
  // A key to put; where that matters, one that no other put is outstanding for. Keys are drawn some
  // puts ahead, so that their contexts are near when it is their turn.
  std::size_t draw_put() {
    if (!contexts_) return draw();
    do {
      ahead_.push_back(draw_idle());
      begin_put(ahead_.back());
      contexts_->prefetch(ahead_.back());
    } while (ahead_.size() <= std::min(drawn_ahead, count() / 4));
    const std::size_t key = ahead_.front();
    ahead_.pop_front();
    return key;
  }
  void give_back_drawn() {
    for (const std::size_t key : ahead_) busy_[key] = false;
    ahead_.clear();
  }
  void begin_put(std::size_t key) {
    if (contexts_) busy_[key] = true;
  }
  void end_put(std::size_t key, const Reply& reply) {
    if (!contexts_) return;
    busy_[key] = false;
    if (reply.error.empty()) contexts_->set(key, reply.context);
  }

  // The key, and random bytes that no compression makes smaller. Valid until the next call.
  ByteView make_value(std::size_t key) {
    std::memcpy(value_.data(), filler_.data() + random_.below(filler_bytes), value_.size());
    const ByteView head = value_head(key);
    std::memcpy(value_.data(), head.data(), head.size());
    return value_;
  }
  bool is_value_of(std::size_t key, ByteView value) const {
    const ByteView head = value_head(key);
    return value.size() == value_.size() && value.substr(0, head.size()) == head;
  }

 private:
  static constexpr std::size_t drawn_ahead = 8;

  std::size_t draw_idle() {
    std::size_t key = draw();
    while (busy_[key]) key = draw();
    return key;
  }
  ByteView value_head(std::size_t key) const {
    return name(key).substr(0, std::min(key_bytes, value_.size()));
  }

  SeededRandom random_;
  Bytes names_;
  std::optional<Contexts> contexts_;
  std::vector<bool> busy_;
  std::deque<std::size_t> ahead_;  // marked as busy already
  Bytes filler_;
  Bytes value_;
};

struct LoadClient::Connection {
  struct Slot {
    bool outstanding = false;
    Operation operation = Operation::put;
    std::size_t key = 0;
    std::int64_t request_id = 0;
    Clock::time_point sent;
  };

  Connection(Descriptor connected, std::size_t window)
      : socket(std::move(connected)), in(input_bytes), slots(window) {
    for (std::size_t i = window; i > 0; --i) idle.push_back(static_cast<std::uint32_t>(i - 1));
  }

  Descriptor socket;
  std::unique_ptr<ClientCodec> codec;
  InputBuffer in;
  OutputBuffer out;
  std::vector<Slot> slots;
  std::vector<std::uint32_t> idle;  // slots
  std::int64_t last_request_id = 0;
  bool waits_for_room = false;  // the kernel took less than was to be sent
};

// One run: what is to be requested, and what has come of it.
class LoadClient::Run {
 public:
  enum class Order {
    each_once,  // and then no more
    drawn,
  };

  Run(LoadClient& client, Operation operation, Order order, Clock::time_point until)
      : client_(client),
        keys_(*client.keys_),
        operation_(operation),
        order_(order),
        until_(until) {}

  Result<LoadResult> perform() {
    const double cpu_before = thread_cpu_us();
    const auto begun = Clock::now();
    now_ = last_answer_ = begun;
    // What a new connection says goes out as well.
    for (const auto& connection : client_.connections_) RW_TRY(request_and_send(*connection));
    while (outstanding_ > 0) RW_TRY(wait_once());
    keys_.give_back_drawn();
    result_.seconds = static_cast<double>(nanoseconds(now_ - begun)) / 1e9;
    result_.cpu_us = thread_cpu_us() - cpu_before;
    return std::move(result_);
  }

 private:
  Status wait_once() {
    std::array<epoll_event, 64> events;
    const int count = ::epoll_wait(client_.epoll_, events.data(), events.size(), epoll_wait_ms);
    if (interrupted()) return {Code::closed, "interrupted"};
    if (count < 0 && errno != EINTR) return {Code::io_error, "epoll_wait failed"};
    now_ = Clock::now();
    if (now_ - last_answer_ > client_.settings_.answer_timeout)
      return {Code::timed_out,
              "no answer for too long to " + std::to_string(outstanding_) + " requests"};
    for (int i = 0; i < count; ++i) {
      auto& connection = *static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
      if ((events[static_cast<std::size_t>(i)].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        RW_TRY(receive(connection));
      RW_TRY(request_and_send(connection));
    }
    return ok_status();
  }

  Status receive(Connection& connection) {
    if (connection.in.receive(connection.socket.get()) == InputBuffer::Outcome::closed)
      return {Code::closed, "a node closed its connection"};
    replies_.clear();
    const auto taken = connection.codec->decode(connection.in.unread(), replies_);
    if (!taken) return taken.error();
    for (const Reply& reply : replies_) RW_TRY(settle(connection, reply));
    connection.in.consume(*taken);
    if (!replies_.empty()) last_answer_ = now_;
    return ok_status();
  }

  Status settle(Connection& connection, const Reply& reply) {
    if (reply.slot >= connection.slots.size() || !connection.slots[reply.slot].outstanding)
      return {Code::invalid, "an answer to no request"};
    Connection::Slot& slot = connection.slots[reply.slot];
    if (slot.operation != reply.operation || !fits(slot, reply)) ++result_.mismatches;
    if (reply.error.empty())
      count_success(slot, reply);
    else
      count_error(reply);
    if (slot.operation == Operation::put) keys_.end_put(slot.key, reply);
    slot.outstanding = false;
    connection.idle.push_back(reply.slot);
    --outstanding_;
    return ok_status();
  }

  bool fits(const Connection::Slot& slot, const Reply& reply) const {
    if (!reply.echoed) return true;
    return reply.request_id == slot.request_id && reply.key == keys_.name(slot.key);
  }

  void count_success(const Connection::Slot& slot, const Reply& reply) {
    ++result_.operations;
    result_.latency.add(nanoseconds(now_ - slot.sent));
    if (slot.operation != Operation::get) return;
    if (reply.values == 0) ++result_.absent;
    if (reply.values > 1) ++result_.siblings;
    if (reply.values > 0 && !keys_.is_value_of(slot.key, reply.value)) ++result_.mismatches;
  }

  void count_error(const Reply& reply) {
    ++result_.errors[reply.error];
    if (result_.first_error.empty()) result_.first_error = reply.error_message;
  }

  Status request_and_send(Connection& connection) {
    bool requested = false;
    while (!connection.idle.empty() && now_ < until_ && next_in_order_ < keys_.count()) {
      request(connection);
      requested = true;
    }
    if (requested) connection.codec->end_burst(connection.out.bytes());
    if (!connection.out.empty() && !connection.out.send(connection.socket.get()))
      return {Code::closed, "a node closed its connection"};
    return watch(connection, !connection.out.empty());
  }

  void request(Connection& connection) {
    const std::uint32_t index = connection.idle.back();
    connection.idle.pop_back();
    Connection::Slot& slot = connection.slots[index];
    slot.outstanding = true;
    slot.operation = operation_;
    slot.key = next_key();
    slot.request_id = ++connection.last_request_id;
    slot.sent = now_;
    Request request{index, slot.request_id, keys_.name(slot.key), {}, {}};
    if (operation_ == Operation::put) {
      keys_.begin_put(slot.key);
      request.value = keys_.make_value(slot.key);
      request.context = keys_.context(slot.key);
      connection.codec->put(request, connection.out.bytes());
    } else {
      connection.codec->get(request, connection.out.bytes());
    }
    ++outstanding_;
  }

  std::size_t next_key() {
    if (order_ == Order::each_once) return next_in_order_++;
    return operation_ == Operation::put ? keys_.draw_put() : keys_.draw();
  }

  Status watch(Connection& connection, bool for_room) {
    if (for_room == connection.waits_for_room) return ok_status();
    connection.waits_for_room = for_room;
    epoll_event event{};
    event.events = for_room ? EPOLLIN | EPOLLOUT : EPOLLIN;
    event.data.ptr = &connection;
    if (::epoll_ctl(client_.epoll_, EPOLL_CTL_MOD, connection.socket.get(), &event) != 0)
      return {Code::io_error, "epoll_ctl failed"};
    return ok_status();
  }

  LoadClient& client_;
  Keys& keys_;
  const Operation operation_;
  const Order order_;
  const Clock::time_point until_;
  std::size_t next_in_order_ = 0;
  std::size_t outstanding_ = 0;
  Clock::time_point now_;
  Clock::time_point last_answer_;
  std::vector<Reply> replies_;
  LoadResult result_;
};

LoadClient::LoadClient(LoadSettings settings)
    : settings_(std::move(settings)), keys_(std::make_unique<Keys>(settings_)) {}

LoadClient::~LoadClient() { Descriptor(epoll_).close(); }

Result<std::unique_ptr<LoadClient>> LoadClient::connect(LoadSettings settings,
                                                        const CodecFactory& codec) {
  if (settings.addresses.empty()) return Status(Code::invalid, "no address to connect to");
  if (settings.connections == 0 || settings.window == 0)
    return Status(Code::invalid, "a load needs at least one connection and one request");
  // So that a key without an outstanding put is always found soon.
  if (settings.keys < 2 * settings.connections * settings.window)
    return Status(Code::invalid, "too few keys: at least twice as many as outstanding requests");
  std::unique_ptr<LoadClient> client(new LoadClient(std::move(settings)));
  const LoadSettings& wanted = client->settings_;
  client->epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (client->epoll_ < 0) return Status(Code::io_error, "no epoll");
  const auto deadline = Clock::now() + wanted.connect_timeout;
  for (std::size_t i = 0; i < wanted.connections; ++i) {
    auto socket = connect_to(wanted.addresses[i % wanted.addresses.size()], deadline);
    if (!socket) return socket.error();
    auto connection = std::make_unique<Connection>(std::move(*socket), wanted.window);
    connection->codec = codec();
    connection->codec->begin(connection->out.bytes());
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = connection.get();
    if (::epoll_ctl(client->epoll_, EPOLL_CTL_ADD, connection->socket.get(), &event) != 0)
      return Status(Code::io_error, "epoll_ctl failed");
    client->connections_.push_back(std::move(connection));
  }
  return client;
}

Result<LoadResult> LoadClient::preload() {
  return Run(*this, Operation::put, Run::Order::each_once, Clock::time_point::max()).perform();
}

Result<LoadResult> LoadClient::run(Operation operation, std::chrono::milliseconds duration) {
  return Run(*this, operation, Run::Order::drawn, Clock::now() + duration).perform();
}

}  // namespace ringwright::bench
