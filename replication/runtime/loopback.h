#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/base/status.h"
#include "replication/transport/transport_factory.h"

namespace ringwright {

// The network within one process. Messages are moved from mailbox to mailbox, never encoded.
//
// An endpoint has a mailbox for each of its shards; the sender picks it by shard_of, so that
// nothing hops again inside a node. A mailbox holds limits::mailbox_messages_max messages; what
// comes above that is dropped and counted. A send wakes a mailbox once, and only one that waits.
//
// Connections are implied: when an endpoint goes down, every open mailbox is told that it is
// unreachable; a sender is told so again for what it sends there afterwards; and a mailbox that
// opens learns of all endpoints that went down.
//
// Threads: everything may be called from any thread; a transport made here as `Transport` says.
// Lifetime: transports keep the network alive.
class LoopbackNetwork : public std::enable_shared_from_this<LoopbackNetwork> {
 public:
  static std::shared_ptr<LoopbackNetwork> make();

  // A new endpoint, down until it is opened.
  Endpoint reserve();
  // Brings an endpoint up: one transport for each shard. It must be down. It goes down when the
  // first of the transports is closed or destroyed; what lay in its mailboxes is lost then.
  std::vector<std::unique_ptr<Transport>> open(Endpoint endpoint, std::uint32_t shards);
  // A client's end: an endpoint of one mailbox that is given up for good when its transport closes.
  // Then its number may be given out again.
  struct ClientEnd {
    Endpoint endpoint = 0;
    std::unique_ptr<Transport> transport;
  };
  ClientEnd open_client();
  bool is_up(Endpoint endpoint) const;

 private:
  friend class LoopbackTransport;
  class Mailbox;
  // The mailboxes of an endpoint, by shard; none while it is down.
  using Mailboxes = std::vector<std::shared_ptr<Mailbox>>;
  struct Slot {
    Mailboxes mailboxes;
    bool reserved = false;
    bool was_up = false;
  };
  using Table = std::vector<Slot>;

  LoopbackNetwork() = default;
  std::vector<std::unique_ptr<Transport>> open(Endpoint endpoint, std::uint32_t shards, bool once);
  // Takes the endpoint down if this is still one of its mailboxes: it may be open again by now.
  void take_down(Endpoint endpoint, const Mailbox* mailbox, bool for_good);
  std::shared_ptr<const Table> table() const;
  void replace_table(std::shared_ptr<const Table> table);

  mutable std::mutex mutex_;  // guards table_
  std::shared_ptr<const Table> table_ = std::make_shared<Table>();
  std::atomic<std::uint64_t> version_{1};  // of table_, raised after each change
};

// A network of its own for each factory: what one makes cannot reach what another one made. An
// address is "loopback:<endpoint>", and there is nothing to choose in it.
std::unique_ptr<TransportFactory> make_loopback_factory();

}  // namespace ringwright
