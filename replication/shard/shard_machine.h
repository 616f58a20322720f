#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "replication/coordinator/get_operation.h"
#include "replication/coordinator/put_operation.h"
#include "replication/shard/deadlines.h"
#include "replication/shard/handoff.h"
#include "replication/shard/recent_requests.h"
#include "replication/shard/replica_store.h"
#include "replication/shard/shard.h"
#include "replication/shard/slot_table.h"
#include "replication/transport/assembler.h"

namespace ringwright {

// The machine behind a Shard, for its own sources alone: shard.cc takes in messages and the stores'
// events, keeps the operations in flight and delivers fallback rows; shard_clients.cc coordinates
// gets and puts.
class Shard::Machine {
 public:
  Machine(ShardSettings settings, std::shared_ptr<const NodeState> state);

  void receive(Envelope&& envelope, Moment moment);
  void complete(EngineCompletion&& completion, Moment moment);
  void tick(Moment moment);
  void unreachable(Endpoint endpoint, Moment moment);
  void update(std::shared_ptr<const NodeState> state);
  void take_output(ShardOutput& output);
  Instant next_deadline() const;
  const Counters& counters() const { return counters_; }
  const std::vector<ReplicaCounts>& replica_counts() const { return replica_timer_.counts(); }
  bool may_hold_fallback_rows() const;

 private:
  // Who waits for a client's operation: a client, or a node that sent its request on.
  struct Asker {
    Endpoint endpoint = 0;
    OperationId operation = 0;
    RequestId request;
    Instant arrived = never;     // never: measured by the node that its client asked
    std::uint32_t keyspace = 0;  // by engine index, or past the last: there is none of this name
    RequestKind kind = RequestKind::get;
  };
  struct Put {
    Asker asker;
    PutOperation machine;
    Bytes key;
    std::uint64_t token = 0;  // at the store
    Context context;          // for its client
    Dot dot;
  };
  struct Get {
    Asker asker;
    GetOperation machine;
    Bytes key;
  };
  // A put that was sent on to a node that keeps the key.
  struct Forward {
    Asker asker;
    Bytes key;
    std::uint32_t member;
  };
  // A fallback row on its way to the key's primaries.
  struct Delivery {
    std::size_t keyspace;
    Bytes key;
    Bytes record;
    std::vector<std::uint32_t> waiting_for;
  };
  struct Operation {
    std::variant<Put, Get, Forward, Delivery> what;
    Instant deadline;
  };
  // What a token given to a store stands for.
  struct Pending {
    enum class Kind : std::uint8_t { put, peer_read, peer_write, handoff_scan, handoff_removal };
    Kind kind;
    std::size_t keyspace;
    Endpoint endpoint = 0;
    OperationId operation = 0;
  };
  struct Copies {
    std::shared_ptr<const Keyspace> keyspace;
    ReplicaStore store;
    Handoff handoff;
  };

  // Messages.
  void handle(Endpoint source, GetRequest&& request, Moment moment);
  void handle(Endpoint source, PutRequest&& request, Moment moment);
  void handle(Endpoint source, ClientReply&& reply, Moment moment);
  void handle(Endpoint source, ReplicaRead&& request, Moment moment);
  void handle(Endpoint source, ReplicaReadReply&& reply, Moment moment);
  void handle(Endpoint source, ReplicaWrite&& request, Moment moment);
  void handle(Endpoint source, ReplicaWriteReply&& reply, Moment moment);
  void handle(Endpoint source, ReplicaWriteAcks&& acks, Moment moment);
  void handle(Endpoint source, Fragment&& piece, Moment moment);
  void handle(Endpoint, Ping&&, Moment) {}
  void handle(Endpoint, Pong&&, Moment) {}
  void dispatch(Endpoint source, Timestamp stamp, Message&& message, Moment moment);
  void member_answered(OperationId id, std::uint32_t member, const Status& status, Bytes* record,
                       Moment moment);
  template <typename Content>
  void send(Endpoint target, Content&& content);

  // Operations in flight.
  Operation* find(OperationId id);
  OperationId add_operation(Operation&& operation);
  void end_operation(OperationId id);
  void expire(OperationId id, Moment moment);

  // Clients' operations; these and their messages: shard_clients.cc.
  Asker asker_of(Endpoint source, const GetRequest& request, Moment moment) const;
  Asker asker_of(Endpoint source, const PutRequest& request, Moment moment) const;
  Status check_request(const Asker& asker, const Bytes& keyspace, const Bytes& key) const;
  std::vector<PreferenceEntry> replicas_of(const Keyspace& keyspace, ByteView key) const;
  void refuse(const Asker& asker, const Bytes& key, const Answer& answer);
  void note_answer(const Asker& asker, Code code, const Record* found = nullptr);
  void start_get(const Asker& asker, GetRequest&& request, Moment moment);
  void advance_get(OperationId id, Moment moment);
  void note_answered_get(OperationId id, Moment moment);
  void end_oldest_answered_get(Moment moment);
  bool has_room(Moment moment);
  void repair(const Get& get);
  bool is_repeated(Endpoint source, Timestamp stamp, const PutRequest& request, Moment moment);
  Result<PutIntent> intent_of(PutRequest& request, const Keyspace& keyspace, Moment moment);
  void start_put(const Asker& asker, PutRequest&& request, Moment moment);
  void forward_put(const Asker& asker, PutRequest&& request, std::uint32_t member, Moment moment);
  void put_event(const Pending& pending, ReplicaStore::Event& event, Moment moment);
  void send_record(const Put& put, OperationId id, Bytes record, Moment moment);
  void advance_put(OperationId id);

  // The stores' events.
  void drain(Moment moment);
  void handle_event(ReplicaStore::Event& event, Moment moment);
  void answer_write(Endpoint target, OperationId operation, Code code, const std::string& why);

  // Delivery of fallback rows.
  void advance_handoff(std::size_t index, Moment moment);
  void deliver(std::size_t index, const std::vector<std::pair<Bytes, Bytes>>& rows, Moment moment);
  void start_delivery(std::size_t index, Bytes key, Bytes record, Moment moment);
  void delivery_answered(OperationId id, Delivery& delivery, std::uint32_t member,
                         const Status& status, Moment moment);

  void tell_clock();
  std::optional<std::size_t> keyspace_index(ByteView name) const;
  std::uint64_t add_pending(Pending&& pending);
  Endpoint endpoint_of(std::uint32_t member) const;
  std::optional<std::uint32_t> member_at(Endpoint endpoint) const;
  std::string member_name(std::uint32_t member) const;

  ShardSettings settings_;
  std::shared_ptr<const NodeState> state_;
  std::vector<bool> alive_;
  Counters counters_;
  DotIssuer issuer_;
  HybridClock clock_;
  Timestamp told_clock_;  // the node knows that the clock got this far
  Assembler assembler_;
  std::vector<std::unique_ptr<Copies>> copies_;
  SlotTable<Operation> operations_;        // by the operation's number within the shard
  std::deque<OperationId> answered_gets_;  // in this order; some of them have ended since
  Deadlines deadlines_;
  SlotTable<Pending> pending_;
  RecentRequests recent_requests_;
  std::vector<ReplicaStore::Event> events_;  // of one store, while they are handled
  std::vector<Envelope> messages_;
  std::vector<std::pair<Endpoint, ReplicaWriteAcks>> acks_;  // of this wake-up
  std::vector<AnsweredRequest> answered_;
  ReplicaTimer replica_timer_;
  std::uint64_t next_transfer_ = 1;
  Ticket next_ticket_ = 1;
};

// Made in its envelope: a message is large.
template <typename Content>
void Shard::Machine::send(Endpoint target, Content&& content) {
  const Envelope& envelope = messages_.emplace_back(settings_.endpoint, target, clock_.last(),
                                                    std::forward<Content>(content));
  const bool stays = target == settings_.endpoint;
  const bool to_client = std::holds_alternative<ClientReply>(envelope.message);
  if (stays || to_client || message_bytes_bound(envelope.message) <= settings_.frame_bytes_max)
    return;
  const Message whole = std::move(messages_.back().message);
  messages_.pop_back();
  for (Fragment& piece : cut_message(whole, clock_.last(), settings_.start, next_transfer_++,
                                     settings_.frame_bytes_max))
    messages_.emplace_back(settings_.endpoint, target, clock_.last(), std::move(piece));
}

}  // namespace ringwright
