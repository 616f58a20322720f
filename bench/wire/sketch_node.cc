#include "bench/wire/sketch_node.h"

#include <errno.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <chrono>
#include <cstring>
#include <span>
#include <unordered_map>

#include "bench/wire/interrupt.h"
#include "bench/wire/kv_messages.h"
#include "bench/wire/node_process.h"

namespace ringwright::bench {
namespace {

constexpr std::size_t client_input_bytes = 256 * 1024;
constexpr std::size_t peer_input_bytes = 1024 * 1024;
constexpr int epoll_wait_ms = 100;

// Between peers: this head, then key, then value. Both sides are the same program on one machine.
enum class PeerKind : std::uint8_t { put, put_done, get, get_done, get_absent };
struct PeerHead {
  std::uint64_t operation = 0;  // of the asker
  std::uint32_t value_bytes = 0;
  std::uint16_t key_bytes = 0;
  PeerKind kind = PeerKind::put;
  std::uint8_t unused = 0;
};
static_assert(sizeof(PeerHead) == 16);

void append_peer(Bytes& out, PeerKind kind, std::uint64_t operation, ByteView key, ByteView value) {
  PeerHead head;
  head.operation = operation;
  head.value_bytes = static_cast<std::uint32_t>(value.size());
  head.key_bytes = static_cast<std::uint16_t>(key.size());
  head.kind = kind;
  out.append(reinterpret_cast<const char*>(&head), sizeof(head));
  out.append(key);
  out.append(value);
}

struct KeyHash {
  using is_transparent = void;
  std::size_t operator()(ByteView key) const { return std::hash<ByteView>{}(key); }
};

}  // namespace

class SketchNode::Loop {
 public:
  Loop(ReservedPort clients, std::array<Descriptor, sketch_nodes> peers, Nanoseconds idle_poll)
      : listener_(std::move(clients)),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        idle_poll_(idle_poll) {
    watch(listener_.socket.get(), nullptr, EPOLL_CTL_ADD, EPOLLIN);
    for (Descriptor& peer : peers)
      if (peer.is_open()) peers_.push_back(add(std::move(peer), true));
  }

  Status serve() {
    while (!interrupted()) {
      std::array<epoll_event, 64> events;
      const int count = wait(events);
      if (count < 0 && errno != EINTR) return {Code::io_error, "epoll_wait failed"};
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (event.data.ptr == nullptr)
          accept_all();
        else
          RW_TRY(wake(*static_cast<Connection*>(event.data.ptr), event.events));
      }
      RW_TRY(flush());
    }
    return ok_status();
  }

 private:
  struct Connection {
    Connection(Descriptor connected, bool peer)
        : socket(std::move(connected)),
          is_peer(peer),
          in(peer ? peer_input_bytes : client_input_bytes) {}

    Descriptor socket;
    const bool is_peer;
    InputBuffer in;
    OutputBuffer out;
    bool to_flush = false;
    bool waits_for_room = false;
    std::size_t operations = 0;  // that will answer here; the connection stays until they have
  };

  // Waits for the first answer of a peer. The generation tells the second one, which finds the
  // place used anew or free, from it.
  struct Pending {
    std::uint32_t generation = 0;
    bool is_put = false;
    bool found = false;  // of a get: by the read here
    Connection* client = nullptr;
    std::uint32_t sequence = 0;
    std::int64_t request_id = 0;
    Bytes key;
    Bytes value;
  };

  // Looks before it sleeps, if it is to, and gives the processor away in between.
  int wait(std::span<epoll_event> events) {
    const auto wait_ms = [&](int at_most) {
      return ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), at_most);
    };
    if (idle_poll_ > 0) {
      using std::chrono::steady_clock;
      const auto until = steady_clock::now() + std::chrono::nanoseconds(idle_poll_);
      do {
        const int count = wait_ms(0);
        if (count != 0) return count;
        ::sched_yield();
      } while (steady_clock::now() < until);
    }
    return wait_ms(epoll_wait_ms);
  }

  void watch(int fd, Connection* connection, int change, std::uint32_t wanted) {
    epoll_event event{};
    event.events = wanted;
    event.data.ptr = connection;
    ::epoll_ctl(epoll_.get(), change, fd, &event);
  }

  Connection* add(Descriptor socket, bool is_peer) {
    connections_.push_back(std::make_unique<Connection>(std::move(socket), is_peer));
    Connection* const connection = connections_.back().get();
    watch(connection->socket.get(), connection, EPOLL_CTL_ADD, EPOLLIN);
    return connection;
  }

  void accept_all() {
    for (;;) {
      Descriptor socket(::accept4(listener_.socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!socket.is_open()) return;
      if (prepare_connection(socket.get()).is_ok()) add(std::move(socket), false);
    }
  }

  Status wake(Connection& connection, std::uint32_t events) {
    if (!connection.socket.is_open()) return ok_status();
    if ((events & EPOLLOUT) != 0) mark(connection);
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return ok_status();
    const auto outcome = connection.in.receive(connection.socket.get());
    if (outcome == InputBuffer::Outcome::closed) return lose(connection);
    return connection.is_peer ? read_peer(connection) : read_client(connection);
  }

  // The load ends when its clients do; their connections are few and stay as empty places.
  Status lose(Connection& connection) {
    if (connection.is_peer) return {Code::closed, "a peer is gone"};
    connection.socket.close();
    return ok_status();
  }

  Status read_client(Connection& connection) {
    for (;;) {
      const ByteView in = connection.in.unread();
      const auto size = whole_frame(in);
      if (!size) return size.error();
      if (*size == 0 || *size > in.size()) return ok_status();
      constexpr std::size_t head_bytes = 4;
      const auto call = decode_call(in.substr(head_bytes, *size - head_bytes));
      if (!call) return call.error();
      answer(connection, *call);
      connection.in.consume(*size);
    }
  }

  void answer(Connection& connection, const Call& call) {
    switch (call.kind) {
      case CallKind::put:
        apply(call.key, call.value);
        ask_peers(PeerKind::put, begin(connection, call), call.key, call.value);
        return;
      case CallKind::get:
        ask_peers(PeerKind::get, begin(connection, call), call.key, {});
        return;
      case CallKind::hello:
        encode_hello_reply(connection.out.bytes(), call.sequence);
        mark(connection);
        return;
      case CallKind::unknown:
        encode_unknown_call(connection.out.bytes(), call.sequence, call.name);
        mark(connection);
        return;
    }
  }

  void apply(ByteView key, ByteView value) {
    const auto at = values_.find(key);
    if (at != values_.end())
      at->second.assign(value);
    else
      values_.emplace(Bytes(key), Bytes(value));
  }

  std::uint64_t begin(Connection& connection, const Call& call) {
    if (idle_.empty()) {
      idle_.push_back(static_cast<std::uint32_t>(pending_.size()));
      pending_.emplace_back();
    }
    const std::uint32_t index = idle_.back();
    idle_.pop_back();
    Pending& pending = pending_[index];
    pending.is_put = call.kind == CallKind::put;
    pending.client = &connection;
    pending.sequence = call.sequence;
    pending.request_id = call.request_id;
    pending.key.assign(call.key);
    if (!pending.is_put) {
      const auto at = values_.find(call.key);
      pending.found = at != values_.end();
      if (pending.found) pending.value.assign(at->second);
    }
    return std::uint64_t{pending.generation} << 32 | index;
  }

  void ask_peers(PeerKind kind, std::uint64_t operation, ByteView key, ByteView value) {
    for (Connection* peer : peers_) {
      append_peer(peer->out.bytes(), kind, operation, key, value);
      mark(*peer);
    }
  }

  Status read_peer(Connection& peer) {
    for (;;) {
      const ByteView in = peer.in.unread();
      if (in.size() < sizeof(PeerHead)) return ok_status();
      PeerHead head;
      std::memcpy(&head, in.data(), sizeof(head));
      const std::size_t size = sizeof(head) + head.key_bytes + head.value_bytes;
      if (in.size() < size) return ok_status();
      const ByteView key = in.substr(sizeof(head), head.key_bytes);
      const ByteView value = in.substr(sizeof(head) + head.key_bytes, head.value_bytes);
      serve_peer(peer, head, key, value);
      peer.in.consume(size);
    }
  }

  void serve_peer(Connection& peer, const PeerHead& head, ByteView key, ByteView value) {
    switch (head.kind) {
      case PeerKind::put:
        apply(key, value);
        append_peer(peer.out.bytes(), PeerKind::put_done, head.operation, {}, {});
        mark(peer);
        return;
      case PeerKind::get: {
        const auto at = values_.find(key);
        if (at == values_.end())
          append_peer(peer.out.bytes(), PeerKind::get_absent, head.operation, {}, {});
        else
          append_peer(peer.out.bytes(), PeerKind::get_done, head.operation, {}, at->second);
        mark(peer);
        return;
      }
      case PeerKind::put_done:
      case PeerKind::get_done:
      case PeerKind::get_absent:
        finish(head, value);
        return;
    }
  }

  void finish(const PeerHead& head, ByteView value) {
    Pending& pending = pending_[static_cast<std::uint32_t>(head.operation)];
    if (pending.generation != head.operation >> 32) return;  // the other peer was first
    ++pending.generation;
    idle_.push_back(static_cast<std::uint32_t>(head.operation));
    Connection& client = *pending.client;
    if (!client.socket.is_open()) return;
    if (pending.is_put) {
      encode_put_reply(client.out.bytes(), pending.sequence, pending.request_id, pending.key);
    } else {
      // Without versions there is nothing to choose by: what either of the two has is given.
      if (!pending.found && head.kind == PeerKind::get_done) {
        pending.found = true;
        pending.value.assign(value);
      }
      encode_get_reply(client.out.bytes(), pending.sequence, pending.request_id, pending.key,
                       pending.found ? &pending.value : nullptr);
    }
    mark(client);
  }

  void mark(Connection& connection) {
    if (connection.to_flush) return;
    connection.to_flush = true;
    to_flush_.push_back(&connection);
  }

  Status flush() {
    for (Connection* connection : to_flush_) {
      connection->to_flush = false;
      if (!connection->socket.is_open() || connection->out.empty()) continue;
      if (!connection->out.send(connection->socket.get())) {
        RW_TRY(lose(*connection));
        continue;
      }
      const bool for_room = !connection->out.empty();
      if (for_room == connection->waits_for_room) continue;
      connection->waits_for_room = for_room;
      watch(connection->socket.get(), connection, EPOLL_CTL_MOD,
            for_room ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
    to_flush_.clear();
    return ok_status();
  }

  ReservedPort listener_;
  Descriptor epoll_;
  const Nanoseconds idle_poll_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> peers_;
  std::vector<Connection*> to_flush_;
  std::vector<Pending> pending_;
  std::vector<std::uint32_t> idle_;  // indices of `pending_`
  std::unordered_map<Bytes, Bytes, KeyHash, std::equal_to<>> values_;
};

SketchNode::SketchNode(ReservedPort clients, std::array<Descriptor, sketch_nodes> peers,
                       Nanoseconds idle_poll)
    : loop_(std::make_unique<Loop>(std::move(clients), std::move(peers), idle_poll)) {}
SketchNode::~SketchNode() = default;
Status SketchNode::serve() { return loop_->serve(); }

namespace {

// A connection over TCP, as between machines; both ends within this process.
Result<std::array<Descriptor, 2>> make_link() {
  auto listener = listen_anywhere();
  if (!listener) return listener.error();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  std::array<Descriptor, 2> ends;
  auto near = connect_to(listener->address(), deadline);
  if (!near) return near.error();
  ends[0] = std::move(*near);
  ends[1] = Descriptor(::accept4(listener->socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!ends[1].is_open()) return Status(Code::io_error, "a link between nodes did not come up");
  RW_TRY(prepare_connection(ends[1].get()));
  return ends;
}

}  // namespace

Result<std::unique_ptr<SketchCluster>> SketchCluster::start(Nanoseconds idle_poll) {
  std::array<std::array<Descriptor, sketch_nodes>, sketch_nodes> links;
  std::array<ReservedPort, sketch_nodes> clients;
  std::unique_ptr<SketchCluster> cluster(new SketchCluster());
  for (std::size_t i = 0; i < sketch_nodes; ++i) {
    auto listener = listen_anywhere();
    if (!listener) return listener.error();
    clients[i] = std::move(*listener);
    cluster->addresses_.push_back(clients[i].address());
    for (std::size_t j = i + 1; j < sketch_nodes; ++j) {
      auto link = make_link();
      if (!link) return link.error();
      links[i][j] = std::move((*link)[0]);
      links[j][i] = std::move((*link)[1]);
    }
  }
  for (std::size_t i = 0; i < sketch_nodes; ++i) {
    const int process = start_forked([&] {
      // The other nodes' ends must not live on here, or their loss would show nobody.
      for (std::size_t j = 0; j < sketch_nodes; ++j) {
        if (j == i) continue;
        clients[j].socket.close();
        for (Descriptor& end : links[j]) end.close();
      }
      SketchNode node(std::move(clients[i]), std::move(links[i]), idle_poll);
      const Status status = node.serve();
      // That a peer or the parent is gone is how such a node ends.
      if (!status.is_ok() && status.code() != Code::closed) {
        std::fprintf(stderr, "sketch node: %s\n", status.to_string().c_str());
        return 1;
      }
      return 0;
    });
    if (process < 0) return Status(Code::io_error, "a node's process did not start");
    cluster->processes_.push_back(process);
  }
  return cluster;
}

SketchCluster::~SketchCluster() {
  for (const int process : processes_) end_process(process);
}

}  // namespace ringwright::bench
