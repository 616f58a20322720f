#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "plugins/thrift/client_session.h"
#include "plugins/thrift/peer_link.h"
#include "plugins/thrift/switchboard.h"
#include "replication/transport/transport_factory.h"

namespace ringwright::wire {

// What the shards of one node share. The listeners are watched by all of them.
struct NodeShared {
  NodeShared(std::uint32_t shards, std::size_t members, Descriptor clients_at, Descriptor peers_at)
      : open(shards),
        switchboard(shards),
        client_listener(std::move(clients_at)),
        peer_listener(std::move(peers_at)),
        greeted_at(members) {}

  std::atomic<std::uint32_t> open;  // transports; the last one to close ends the listening
  Switchboard switchboard;
  Descriptor client_listener;
  Descriptor peer_listener;
  ServerFacts facts;
  NodeIdentity identity;
  ConnectionBounds bounds;
  std::vector<SocketAddress> peer_addresses;  // by member index
  // When each member last connected to one of the shards: then it can be connected to as well.
  std::vector<std::atomic<Instant>> greeted_at;  // by member index
  std::shared_ptr<Clock> clock;
  std::shared_ptr<EventLog> events;  // may be none
};

// One shard's sockets: its share of the clients and of the peers that connected, and a link to each
// other member.
//
// Endpoints: members are their index plus 1; a client is the highest bit, its shard and its slot.
class NodeTransport final : public Transport {
 public:
  NodeTransport(std::shared_ptr<NodeShared> shared, std::uint32_t shard);
  ~NodeTransport() override;

  void poll(Instant until, const Sink& sink) override;
  void send(std::vector<Envelope>& envelopes) override;
  void wake() override { poller_->wake(); }
  void close() override;
  std::vector<std::pair<std::string, std::uint64_t>> counters() const override;

  static Endpoint endpoint_of_member(std::uint32_t member) { return member + 1; }

 private:
  struct Client {
    Client(std::unique_ptr<ByteStream> stream, Poller& poller, Poller::Tag tag, Instant now,
           Endpoint its_endpoint, std::uint32_t its_serial, const ServerFacts& facts,
           ClientCounters& counters)
        : connection(std::move(stream), poller, tag, now),
          session(facts, counters),
          endpoint(its_endpoint),
          serial(its_serial) {}
    FrameConnection connection;
    ClientSession session;
    const Endpoint endpoint;
    const std::uint32_t serial;
    bool is_throttled = false;  // nothing is read from it
    bool is_dirty = false;      // its answers are to be sent
  };
  struct Peer {
    Peer(std::unique_ptr<ByteStream> stream, Poller& poller, Poller::Tag tag, Instant now)
        : connection(std::move(stream), poller, tag, now), since(now) {}
    FrameConnection connection;
    const Instant since;
    std::uint32_t serial = 0;
    Endpoint endpoint = 0;    // 0: it has not said who it is
    bool is_refused = false;  // it ends when it has been told so
  };
  // Who ended a connection, for the counters.
  struct Ends {
    std::uint64_t by_client = 0;
    std::uint64_t too_large = 0;
    std::uint64_t malformed = 0;
    std::uint64_t frame_late = 0;
    std::uint64_t idle = 0;
    std::uint64_t unread = 0;
  };

  void handle(const Poller::Ready& ready, const Sink& sink);
  void start_accepting();
  void stop_accepting();
  Descriptor accept(const Descriptor& listener);
  void accept_clients();
  void accept_peers();
  void handle_client(std::uint32_t slot, std::uint32_t serial, const Poller::Ready& ready);
  void handle_peer(std::uint32_t slot, std::uint32_t serial, const Poller::Ready& ready);
  void handle_link(std::uint32_t member, const Poller::Ready& ready, const Sink& sink);
  bool take_peer_frame(Peer& peer, ByteView frame);
  FrameConnection::Input read_client(Client& client, bool from_socket);
  void after_reading(std::uint32_t slot, FrameConnection::Input input);
  static std::size_t bytes_of(const Client& client) {
    return client.session.bytes() + client.connection.buffered();
  }
  bool is_full(const Client& client) const;
  void throttle(Client& client);
  void resume_throttled();
  void deliver(Endpoint source, Timestamp stamp, Message&& message);
  void take_reply(Envelope& envelope);
  void refuse_request(const Envelope& envelope);
  void mark_dirty(Client& client);
  void flush_dirty();
  void drop_client(std::uint32_t slot);
  void drop_peer(std::uint32_t slot);
  void expire(const Sink& sink);
  void report_lost(std::uint32_t member, const Status& why, const Sink& sink);
  void note(Severity severity, const char* name, std::string message,
            std::vector<std::pair<std::string, std::string>> fields);
  Instant next_deadline() const;
  void leave_parcels();

  const std::shared_ptr<NodeShared> shared_;
  const std::uint32_t shard_;
  const Endpoint own_;
  Poller* const poller_;  // in `shared_`
  bool closed_ = false;
  Instant now_ = 0;
  Instant accept_again_at_ = never;  // the process was out of descriptors
  Instant exhausted_noted_at_ = -seconds(1);
  Instant refusal_noted_at_ = -seconds(1);
  Instant next_sweep_ = 0;

  ClientCounters client_counters_;
  std::vector<std::unique_ptr<Client>> clients_;  // by slot
  std::vector<std::uint32_t> free_clients_;
  std::size_t clients_open_ = 0;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::vector<std::uint32_t> free_peers_;
  std::vector<std::unique_ptr<PeerLink>> links_;  // by member; none for this node
  std::vector<bool> lost_;                        // members whose loss was reported and not undone
  std::vector<Endpoint> dirty_;
  std::vector<Endpoint> throttled_;
  std::size_t client_bytes_ = 0;  // of all clients, as of their last reading or answer
  std::uint32_t next_serial_ = 1;

  ReadBuffer buffer_;
  const Sink* sink_ = nullptr;        // of the poll that runs
  std::vector<Envelope> for_itself_;  // sent by this shard to itself: delivered by the next poll
  std::vector<Envelope> from_shards_;
  std::vector<std::vector<Envelope>> parcels_;  // for the other shards
  std::vector<std::uint32_t> unreachable_;      // members that a send found gone
  Bytes encoded_;                               // the message that goes to peers, its room kept

  std::uint64_t accepted_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t peers_refused_ = 0;
  std::uint64_t mailbox_dropped_ = 0;
  Ends ends_;
};

}  // namespace ringwright::wire
