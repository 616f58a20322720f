#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "plugins/thrift/frame_connection.h"
#include "plugins/thrift/generated_codec.h"
#include "replication/transport/cluster_map.h"
#include "replication/transport/transport.h"

namespace ringwright::wire {

// What the sessions of one shard count.
struct ClientCounters {
  // By method; and by outcome: ok, failed, unknown.
  std::array<std::array<std::uint64_t, 3>, 7> requests{};
  std::uint64_t malformed = 0;
  std::uint64_t unknown_methods = 0;
  OperationId operations = 0;  // the last one's number, of all sessions
};

// What a node tells all of its clients alike.
struct ServerFacts {
  std::shared_ptr<const ClusterMap> map;
  std::uint32_t member = 0;
  std::string version;

  const Ring& ring() const { return *map->ring; }
  const std::string& node_name() const { return map->ring->members()[member].name; }
};

// A node's end of one client's connection: calls come in as frames, leave as requests to the node's
// shards, and their replies go back in the order of the calls, or, once the client has said `hello`
// so, as they come.
//
// Invariants
// 1. Every call that could be read is answered once, also those that mean nothing that can be done.
// 2. Without `unordered_replies` answers leave in the order of the calls.
// 3. At most limits::connection_calls_max calls, and about limits::connection_bytes_max bytes of
//    requests and unsent answers, are under way; beyond that nothing is read. One batch, or the
//    answers of what is under way, may exceed it.
// 4. No answer is larger than a frame, and a put that happened is never said to have failed.
class ClientSession {
 public:
  ClientSession(const ServerFacts& facts, ClientCounters& counters);

  using Deliver = std::function<void(Message&& message)>;
  // False: what came is not even Thrift, so the connection must end.
  bool take_frame(ByteView frame, Bytes& out, const Deliver& deliver);
  // Of a request that was delivered; one to somebody else's is ignored. `is_short`: there is no
  // memory for values, so that a get is answered that it may try again.
  void take_reply(ClientReply&& reply, Bytes& out, bool is_short = false);

  // `unsent`: bytes that wait in the connection.
  bool is_full(std::size_t unsent) const;
  std::size_t calls() const { return calls_; }
  std::size_t bytes() const { return bytes_; }

 private:
  // What a reply is for. A call takes one slot, and a batch one for each of its items: the first of
  // them keeps what is common, until the answer is out.
  struct Slot {
    OperationId operation = 0;
    bool is_taken = false;
    bool is_open = false;    // the reply has not come
    OperationId call = 0;    // whose slot keeps what follows
    std::uint32_t part = 0;  // which item of the batch

    Method method = Method::hello;
    Protocol protocol = Protocol::binary;
    bool is_queued = false;    // its answer leaves in the order of the calls
    bool is_answered = false;  // ... and waits there
    std::uint32_t sequence = 0;
    std::int64_t request_id = 0;
    std::size_t size = 0;          // what it adds to bytes_
    std::uint32_t parts_left = 0;  // replies that have not come
    Bytes encoded;                 // the answer, while it waits
    std::vector<ClientReply> items;
    std::size_t items_bytes = 0;
  };

  // Where an operation is kept, if it is one of those under way.
  Slot& slot(OperationId operation) { return slots_[operation & (slots_.size() - 1)]; }
  // A new operation, and a slot for it. Numbers whose place is taken are left out, which are few
  // while half of the places are free; so operations count up, as RecentRequests would have it.
  OperationId take_slot();
  void grow();
  void free_slot(OperationId operation);
  // A new call with so many parts.
  OperationId add_call(Method method, Protocol protocol, std::uint32_t sequence,
                       std::int64_t request_id, std::size_t size, std::uint32_t parts = 1);
  // Writes the answer, or keeps it until it is its turn, and lets go of the call.
  template <typename Encode>
  void finish(OperationId call, Bytes& out, const Encode& encode);
  // Of a call that no shard is asked about.
  template <typename Encode>
  void answer_now(Method method, Protocol protocol, std::uint32_t sequence, Bytes& out,
                  const Encode& encode);
  void refuse(Method method, Protocol protocol, std::uint32_t sequence, std::int64_t request_id,
              const Status& problem, ByteView key, Bytes& out);
  void take_fast_call(Method method, std::uint32_t sequence, binary::Reader& in, ByteView frame,
                      Bytes& out, const Deliver& deliver, bool& is_malformed);
  void take_other_call(AnyCall call, Protocol protocol, ByteView frame, Bytes& out,
                       const Deliver& deliver);
  void take_hello(const HelloCall& hello, Protocol protocol, std::uint32_t sequence, Bytes& out);
  template <typename Request>
  void take_batch(Method method, Protocol protocol, std::uint32_t sequence, std::int64_t request_id,
                  std::vector<Request> requests, std::size_t size, Bytes& out,
                  const Deliver& deliver);
  void keep_item(Slot& call, std::uint32_t part, ClientReply&& reply);
  void encode_reply(const Slot& call, ClientReply& reply, Bytes& out);
  void encode_batch(const Slot& call, Bytes& out);
  void count(Method method, Outcome outcome);

  const ServerFacts& facts_;
  ClientCounters& counters_;
  bool unordered_ = false;
  std::vector<Slot> slots_;        // a power of two of them, by the low bits of the operation
  std::size_t calls_ = 0;          // slots that are taken
  std::deque<OperationId> queue_;  // calls whose answers leave in order
  std::size_t bytes_ = 0;          // of requests under way and of answers that are not out
};

}  // namespace ringwright::wire
