#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "plugins/thrift/fast_codec.h"
#include "plugins/thrift/generated_codec.h"
#include "plugins/thrift/node_transport.h"

// One node's transports with scripted shards behind them, and a client that says whatever a test
// wants it to, for tests of what a node bears.
namespace ringwright::wire {

// How long a test waits for what must come.
constexpr int patience_ms = 20'000;
// Under a sanitizer memory is also the sanitizer's, which keeps what was freed for a while; and the
// one for addresses needs descriptors of its own.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool is_address_sanitized = true;
constexpr bool is_memory_measurable = false;
#elif defined(__SANITIZE_THREAD__)
constexpr bool is_address_sanitized = false;
constexpr bool is_memory_measurable = false;
#else
constexpr bool is_address_sanitized = false;
constexpr bool is_memory_measurable = true;
#endif
constexpr std::size_t answers_at_once = 16;

// Whether the condition came true within the patience; it is looked at every millisecond.
inline bool comes_true(const std::function<bool()>& condition) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

inline std::shared_ptr<const Ring> test_ring(std::uint32_t members = 3) {
  std::vector<Member> made;
  for (std::uint32_t i = 0; i < members; ++i) {
    Member member;
    member.id = NodeId{7, i + 1};
    member.name = "node" + std::to_string(i + 1);
    member.rack = "rack" + std::to_string(i % 2);
    member.data_centre = "east";
    member.weight = 1;
    made.push_back(member);
  }
  auto ring = Ring::make(4, std::move(made), 16);
  EXPECT_TRUE(ring.has_value());
  return std::make_shared<const Ring>(std::move(*ring));
}

inline std::shared_ptr<ClusterMap> test_map(std::uint32_t members = 3) {
  auto map = std::make_shared<ClusterMap>();
  map->cluster = "lab";
  map->ring = test_ring(members);
  for (std::uint32_t i = 0; i < members; ++i)
    map->addresses.push_back({"127.0.0.1:9", "127.0.0.1:9"});
  map->keyspaces.push_back({"default", 3, 2, 2, "siblings", 77});
  return map;
}

// Keeps what a node notes.
class KeptEvents final : public EventLog {
 public:
  void note(const Event& event) override {
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
  }
  std::size_t count(const std::string& name, const std::string& part = {}) const {
    const std::lock_guard lock(mutex_);
    std::size_t found = 0;
    for (const Event& event : events_)
      if (event.name == name && event.message.find(part) != std::string::npos) ++found;
    return found;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Event> events_;
};

// What a scripted node answers to a request; nullopt: nothing.
using Answer = std::function<std::optional<ClientReply>(const Message& request)>;

// A value of each key that tells the key.
inline std::optional<ClientReply> answer_everything(const Message& request) {
  ClientReply reply;
  reply.coordinator = NodeId{7, 1};
  if (const auto* get = std::get_if<GetRequest>(&request)) {
    reply.operation = get->operation;
    reply.key = get->key;
    reply.siblings.push_back({"value of " + get->key, Dot{Actor{NodeId{7, 1}, 2, 3}, 4}, 5 << 16});
    reply.context = "seen";
    return reply;
  }
  if (const auto* put = std::get_if<PutRequest>(&request)) {
    reply.operation = put->operation;
    reply.key = put->key;
    reply.request = put->request;
    reply.context = "written";
    reply.dot = Dot{Actor{NodeId{7, 1}, 2, 3}, 5};
    return reply;
  }
  return std::nullopt;
}

class TestNode {
 public:
  struct Options {
    std::uint32_t shards = 1;
    ConnectionBounds bounds;
    Answer answer = answer_everything;
    std::shared_ptr<ClusterMap> map = test_map();
    // Without threads the test polls.
    bool has_threads = true;
  };
  TestNode() : TestNode(Options()) {}
  explicit TestNode(Options options) : options_(std::move(options)) {
    auto clients_at = listen_at(*SocketAddress::resolve("127.0.0.1:0"));
    auto peers_at = listen_at(*SocketAddress::resolve("127.0.0.1:0"));
    client_address_ = *SocketAddress::of_socket(*clients_at);
    peer_address_ = *SocketAddress::of_socket(*peers_at);
    options_.map->addresses[0] = {client_address_.text(), peer_address_.text()};
    shared_ = std::make_shared<NodeShared>(options_.shards, options_.map->addresses.size(),
                                           std::move(*clients_at), std::move(*peers_at));
    shared_->facts = {options_.map, 0, "test"};
    shared_->identity = options_.map->identity_of(0);
    shared_->bounds = options_.bounds;
    for (const MemberAddress& member : options_.map->addresses)
      shared_->peer_addresses.push_back(*SocketAddress::resolve(member.peer));
    shared_->clock = make_system_clock();
    shared_->events = events_;
    for (std::uint32_t shard = 0; shard < options_.shards; ++shard)
      transports_.push_back(std::make_unique<NodeTransport>(shared_, shard));
    counters_.resize(options_.shards);
    if (!options_.has_threads) return;
    for (std::uint32_t shard = 0; shard < options_.shards; ++shard)
      threads_.emplace_back([this, shard] { run(shard); });
  }
  ~TestNode() { close(); }

  void close() {
    stopping_ = true;
    for (const auto& transport : transports_) transport->wake();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    for (const auto& transport : transports_) transport->close();
  }

  const SocketAddress& client_address() const { return client_address_; }
  const SocketAddress& peer_address() const { return peer_address_; }
  const std::shared_ptr<ClusterMap>& map() const { return options_.map; }
  const KeptEvents& events() const { return *events_; }
  NodeTransport& transport(std::uint32_t shard = 0) { return *transports_[shard]; }

  // One wake-up of a shard without a thread, and its answers. How many messages came.
  std::size_t turn(std::uint32_t shard = 0, Instant until = 0) {
    std::vector<Envelope> requests;
    transports_[shard]->poll(until,
                             {[&](Envelope envelope) { requests.push_back(std::move(envelope)); },
                              [&](Endpoint) { ++unreachable_; },
                              {}});
    std::vector<Envelope> answers;
    for (const Envelope& request : requests) {
      ++received_;
      keep_peer_message(request);
      if (auto reply = options_.answer(request.message))
        answers.push_back({request.target, request.source, 0, std::move(*reply)});
      // Large answers are made a few at a time.
      if (answers.size() >= answers_at_once) send_all(shard, answers);
    }
    send_all(shard, answers);
    return requests.size();
  }
  // Messages that came, to all shards.
  std::uint64_t received() const { return received_; }
  std::uint64_t unreachable() const { return unreachable_; }
  std::vector<Envelope> peer_messages() const {
    const std::lock_guard lock(mutex_);
    return peer_messages_;
  }
  // Sends from the shard's thread at its next wake-up.
  void send(Envelope envelope, std::uint32_t shard = 0) {
    {
      const std::lock_guard lock(mutex_);
      to_send_.push_back(std::move(envelope));
    }
    transports_[shard]->wake();
  }

  // Of all shards, as of a moment ago.
  std::uint64_t counter(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    std::uint64_t sum = 0;
    for (const auto& of_shard : counters_)
      if (const auto at = of_shard.find(name); at != of_shard.end()) sum += at->second;
    return sum;
  }
  std::uint64_t ended(const std::string& reason) const {
    return counter("ringwright_client_connections_ended_total{reason=\"" + reason + "\"}");
  }

 private:
  void run(std::uint32_t shard) {
    while (!stopping_) {
      const Instant until = shared_->clock->now() + milliseconds(20);
      turn(shard, until);
      std::vector<Envelope> sent;
      const auto counted = transports_[shard]->counters();
      {
        const std::lock_guard lock(mutex_);
        if (shard == 0) sent.swap(to_send_);
        for (const auto& [name, value] : counted) counters_[shard][name] = value;
      }
      send_all(shard, sent);
    }
  }
  void send_all(std::uint32_t shard, std::vector<Envelope>& envelopes) {
    if (!envelopes.empty()) transports_[shard]->send(envelopes);
    envelopes.clear();
  }
  void keep_peer_message(const Envelope& envelope) {
    if ((envelope.source & 0x80000000) != 0) return;
    const std::lock_guard lock(mutex_);
    peer_messages_.push_back(envelope);
  }

  Options options_;
  SocketAddress client_address_;
  SocketAddress peer_address_;
  std::shared_ptr<KeptEvents> events_ = std::make_shared<KeptEvents>();
  std::shared_ptr<NodeShared> shared_;
  std::vector<std::unique_ptr<NodeTransport>> transports_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> received_ = 0;
  std::atomic<std::uint64_t> unreachable_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::map<std::string, std::uint64_t>> counters_;
  std::vector<Envelope> to_send_;
  std::vector<Envelope> peer_messages_;
};

// A connection that says whatever it is told to. Blocking, with the patience as its deadline.
class RawConnection {
 public:
  RawConnection() = default;
  explicit RawConnection(const SocketAddress& address, int receive_buffer = 0) {
    socket_ = Descriptor(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (receive_buffer > 0)
      ::setsockopt(socket_.number(), SOL_SOCKET, SO_RCVBUF, &receive_buffer,
                   sizeof(receive_buffer));
    is_connected_ =
        socket_.is_open() && ::connect(socket_.number(), address.raw(), address.size()) == 0;
    const timeval patience{patience_ms / 1000, 0};
    ::setsockopt(socket_.number(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ::setsockopt(socket_.number(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  }
  explicit RawConnection(Descriptor accepted) : socket_(std::move(accepted)), is_connected_(true) {
    const timeval patience{patience_ms / 1000, 0};
    ::setsockopt(socket_.number(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  }
  bool is_connected() const { return is_connected_; }
  int number() const { return socket_.number(); }
  void close() { socket_.reset(); }

  // False: the other side has closed.
  bool send(ByteView bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  // What fits without waiting.
  std::size_t send_some(ByteView bytes) {
    const ssize_t sent =
        ::send(socket_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent > 0 ? static_cast<std::size_t>(sent) : 0;
  }
  // Without its length; nullopt: closed, or nothing came.
  std::optional<Bytes> frame() {
    while (!has_frame()) {
      char room[65536];
      const ssize_t count = ::recv(socket_.number(), room, sizeof(room), 0);
      if (count <= 0) return std::nullopt;
      buffer_.append(room, static_cast<std::size_t>(count));
    }
    const std::size_t size = binary::frame_size(buffer_.data());
    Bytes frame = buffer_.substr(4, size);
    buffer_.erase(0, 4 + size);
    return frame;
  }
  // Whether the other side closes, whatever it sends before.
  bool is_closed() {
    char room[65536];
    for (;;) {
      const ssize_t count = ::recv(socket_.number(), room, sizeof(room), 0);
      if (count == 0) return true;
      if (count < 0) return errno == ECONNRESET;
    }
  }
  // Whether bytes or the end have come, or a frame is there already.
  bool has_news(int timeout_ms = 0) {
    if (has_frame()) return true;
    pollfd wanted{socket_.number(), POLLIN, 0};
    return ::poll(&wanted, 1, timeout_ms) > 0;
  }

 private:
  bool has_frame() const {
    return buffer_.size() >= 4 && buffer_.size() - 4 >= binary::frame_size(buffer_.data());
  }

  Descriptor socket_;
  bool is_connected_ = false;
  Bytes buffer_;
};

inline Bytes framed(ByteView body) {
  Bytes out;
  binary::put_i32(out, static_cast<std::uint32_t>(body.size()));
  out += body;
  return out;
}

inline Bytes get_frame(ByteView key, std::int64_t request_id, std::uint32_t sequence = 0) {
  GetRequest request;
  request.keyspace = "default";
  request.key = key;
  Bytes out;
  fast::write_get_call(out, sequence, request_id, request);
  return out;
}

inline Bytes put_frame(ByteView key, ByteView value, std::int64_t request_id,
                       std::uint32_t sequence = 0) {
  PutRequest request;
  request.keyspace = "default";
  request.key = key;
  request.value = value;
  Bytes out;
  fast::write_put_call(out, sequence, request_id, request);
  return out;
}

inline Bytes hello_frame(bool unordered, std::uint32_t level_min = protocol_level_min,
                         std::uint32_t level_max = protocol_level) {
  AnyCall call;
  call.method = Method::hello;
  call.sequence = 99;
  call.call = HelloCall{level_max, level_min, "test", unordered};
  Bytes out;
  generated::encode_call(out, call);
  return out;
}

struct SeenReply {
  binary::MessageType type = binary::MessageType::reply;
  Bytes method;
  std::uint32_t sequence = 0;
  fast::Reply body;
};
// Of a get, put or remove; nullopt: it is not one.
inline std::optional<SeenReply> read_reply(const std::optional<Bytes>& frame, const Ring& ring) {
  if (!frame) return std::nullopt;
  binary::Reader in(*frame);
  const auto head = binary::take_message_head(in);
  SeenReply seen{head.type, Bytes(head.name), head.sequence, {}};
  if (in.failed()) return std::nullopt;
  if (head.type != binary::MessageType::reply) return seen;
  auto body = head.name == "get" ? fast::read_get_reply(in, ring) : fast::read_put_reply(in, ring);
  if (!body) return std::nullopt;
  seen.body = std::move(*body);
  return seen;
}

// An ordinary client that must notice nothing of what others do.
class Bystander {
 public:
  explicit Bystander(TestNode& node) : node_(node), connection_(node.client_address()) {}
  // A get and its answer.
  bool works() {
    const std::int64_t id = ++count_;
    const Bytes key = "bystander" + std::to_string(id);
    if (!connection_.send(get_frame(key, id))) return false;
    const auto reply = read_reply(connection_.frame(), *node_.map()->ring);
    return reply && reply->body.request_id == id && reply->body.reply.key == key &&
           reply->body.reply.siblings.size() == 1 &&
           reply->body.reply.siblings[0].value == "value of " + key;
  }

 private:
  TestNode& node_;
  RawConnection connection_;
  std::int64_t count_ = 0;
};

// Bytes of physical memory that this process has.
inline std::size_t resident_bytes() {
  std::size_t pages = 0;
  std::size_t resident = 0;
  if (FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%zu %zu", &pages, &resident) != 2) resident = 0;
    std::fclose(file);
  }
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

// The most physical memory since the last reset, where the system tells.
inline void reset_peak_memory() {
  if (FILE* file = std::fopen("/proc/self/clear_refs", "w")) {
    std::fputs("5", file);
    std::fclose(file);
  }
}
inline std::size_t peak_bytes() {
  std::size_t kilobytes = 0;
  if (FILE* file = std::fopen("/proc/self/status", "r")) {
    char line[256];
    while (std::fgets(line, sizeof(line), file))
      if (std::sscanf(line, "VmHWM: %zu kB", &kilobytes) == 1) break;
    std::fclose(file);
  }
  return kilobytes * 1024;
}

}  // namespace ringwright::wire
