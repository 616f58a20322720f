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
//    requests and unsent answers, are under way; beyond that nothing is read.
class ClientSession {
 public:
  // `serial` tells this session from others that had its endpoint before.
  ClientSession(Endpoint endpoint, std::uint32_t serial, const ServerFacts& facts,
                ClientCounters& counters);

  using Deliver = std::function<void(Message&& message)>;
  // False: what came is not even Thrift, so the connection must end.
  bool take_frame(ByteView frame, Bytes& out, const Deliver& deliver);
  // Of a request that was delivered; one to somebody else's is ignored.
  void take_reply(ClientReply&& reply, Bytes& out);

  // `unsent`: bytes that wait in the connection.
  bool is_full(std::size_t unsent) const;
  std::size_t calls() const { return calls_.size(); }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Call {
    Method method = Method::hello;
    Protocol protocol = Protocol::binary;
    bool is_answered = false;
    std::uint32_t sequence = 0;
    std::int64_t request_id = 0;
    std::uint32_t size = 0;        // of the request
    std::uint32_t parts_left = 0;  // of a batch: items behind this one
    // The answer: encoded, or of an item of a batch as it came.
    Bytes encoded;
    std::unique_ptr<ClientReply> item;
  };

  OperationId operation_of(std::uint32_t number) const;
  Call& add_call(Method method, Protocol protocol, std::uint32_t sequence, std::int64_t request_id,
                 std::size_t size);
  // Of the call that was added last.
  OperationId last_operation() const { return operation_of(next_number_ - 1); }
  void answer_now(Call& call, Bytes& out, const std::function<void(Bytes&)>& encode);
  void take_fast_call(Method method, std::uint32_t sequence, binary::Reader& in, ByteView frame,
                      Bytes& out, const Deliver& deliver, bool& is_malformed);
  void take_other_call(AnyCall call, Protocol protocol, ByteView frame, Bytes& out,
                       const Deliver& deliver);
  void take_hello(const HelloCall& hello, Call& call, Bytes& out);
  template <typename Request>
  void take_batch(Method method, Protocol protocol, std::uint32_t sequence, std::int64_t request_id,
                  std::vector<Request> requests, std::size_t size, Bytes& out,
                  const Deliver& deliver);
  void refuse(Call& call, const Status& problem, ByteView key, Bytes& out);
  void encode_reply(const Call& call, ClientReply& reply, Bytes& out);
  void count(Method method, Outcome outcome);
  // Lets go of answered calls at the front, and sends what waited for its turn.
  void settle(Bytes& out);

  const Endpoint endpoint_;
  const std::uint32_t serial_;
  const ServerFacts& facts_;
  ClientCounters& counters_;
  bool unordered_ = false;
  std::deque<Call> calls_;  // consecutive numbers, the first of them first_number_
  std::uint32_t first_number_ = 0;
  std::uint32_t next_number_ = 0;
  std::size_t bytes_ = 0;  // of requests under way and of answers that wait for their turn
  std::vector<ClientReply> gathered_;  // of the batch at the front
};

}  // namespace ringwright::wire
