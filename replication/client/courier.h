#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "replication/client/client.h"

namespace ringwright {

// One request of a client with its attempts.
struct Call {
  std::variant<GetRequest, PutRequest> request;  // `operation` and `timeout` are the courier's
  std::uint32_t n = 0;                           // of the keyspace
  Nanoseconds timeout = 0;
  std::uint64_t ticket = 0;  // the submitter's name for it

  // The answer, once the courier returns: exactly one of them.
  std::optional<ClientReply> reply;
  std::optional<ClientError> error;

  bool is_put() const { return std::holds_alternative<PutRequest>(request); }
  const Bytes& key() const {
    return is_put() ? std::get<PutRequest>(request).key : std::get<GetRequest>(request).key;
  }

 private:
  friend class Courier;
  struct Batch* batch_ = nullptr;
  Instant deadline_ = 0;
  std::uint32_t member_ = 0;  // asked now
  std::uint32_t attempts_ = 0;
  OperationId operation_ = 0;           // of the attempt under way; 0: none
  bool is_parked_ = false;              // no node is known to be up
  bool perhaps_applied_ = false;        // an earlier attempt ended in doubt
  std::vector<std::uint32_t> tried_;    // members, the present one not included
  std::optional<ClientError> failure_;  // of the last attempt
};

// Carries the requests of a client's threads over its one transport. Whoever finds nobody polling
// polls for all; the others wait for their answers. Calls can also be submitted, to be carried by a
// thread that does nothing else.
//
// Invariants
// 1. The transport is used by one thread at a time, the leader.
// 2. A call under way has one attempt; a reply to an earlier one finds no call.
// 3. A put is sent on to another node only under the same request id, and only after a certain
//    failure or when the node cannot be reached; in the second case it can no longer fail, only
//    succeed or be unknown.
class Courier {
 public:
  // Uses all of the parts but the keyspaces and the client's id.
  Courier(ClientParts parts, std::string node, std::uint32_t retries);
  ~Courier();

  // Blocks until each call has its answer; at most `concurrency` are under way at a time.
  void carry(std::span<Call> calls, std::size_t concurrency);

  using Ended = std::function<void(std::vector<std::unique_ptr<Call>>)>;
  // Carries submitted calls until `close`, for one thread that makes this its work; it polls
  // whenever nobody else does. `ended` is called on it, without a lock, with the calls that have
  // their answers, and may submit others.
  void carry_submitted(const Ended& ended);
  // Hands a call to the thread of `carry_submitted`; never blocks. False: closed, not taken.
  bool submit(std::unique_ptr<Call> call);

  // Ends all calls; returns when no thread is left inside.
  void close();
  bool is_closed() const;
  std::vector<bool> members_up() const;

 private:
  // A member as this client finds it.
  struct Peer {
    bool is_down = false;
    bool is_probed = false;  // a ping is under way
    Instant next_probe = 0;
  };
  struct Slot {
    Call* call = nullptr;
    std::uint64_t generation = 0;
  };
  struct Arrivals {
    std::vector<Envelope> messages;
    std::vector<Endpoint> unreachable;
    std::vector<OperationId> unsent;
  };
  using Lock = std::unique_lock<std::mutex>;

  void lead(Lock& lock, Instant until);
  void handle_arrivals(Instant now);
  void handle_reply(ClientReply reply, Instant now);
  void handle_unsent(OperationId operation, Instant now);
  void handle_failure(Call& call, ClientError failure, Instant now);
  void handle_unreachable(std::uint32_t member, Instant now);
  void start_calls(Batch& batch, Instant now);
  void start_call(Batch& batch, Call& call, Instant now);
  void expire_calls(Batch& batch, Instant now);
  void start_submitted(Instant now);
  void expire_submitted(Instant now);
  bool is_over(const Call& call, Instant now) const;
  void expire(Call& call, Instant now);
  void await_news(Batch& batch, Lock& lock, Instant until);
  void attempt(Call& call, Instant now);
  void send_attempt(Call& call, std::uint32_t member, Instant now);
  void park(Call& call, Instant now);
  void unpark_calls(Instant now);
  void probe(std::uint32_t member, Instant now);
  void probe_down_peers(Instant now);
  Call* find_call(OperationId operation);
  void end_attempt(Call& call);
  void finish(Call& call);
  void fail(Call& call, ClientError error);
  ClientError closed_error(const Call& call) const;
  ClientError timeout_error(const Call& call) const;
  ClientError unreachable_error(std::uint32_t member) const;
  std::optional<std::uint32_t> choose(const Call& call) const;
  bool may_ask(std::uint32_t member) const { return !pinned_ || *pinned_ == member; }
  std::optional<std::uint32_t> member_at(Endpoint endpoint) const;

  const std::unique_ptr<Transport> transport_;
  const Endpoint endpoint_;
  const std::shared_ptr<const Ring> ring_;
  const std::vector<Endpoint> endpoints_;
  const std::shared_ptr<Clock> clock_;
  const std::uint32_t retries_;
  std::optional<std::uint32_t> pinned_;
  Transport::Sink sink_;

  Arrivals arrivals_;              // the leader's
  std::vector<Envelope> sending_;  // likewise; empty but for its room between two sends

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable left_;
  bool closed_ = false;
  bool has_leader_ = false;
  bool wake_is_sent_ = false;  // to the leader, for what is queued
  std::vector<Batch*> batches_;
  const std::unique_ptr<struct Submitted> submitted_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::vector<Call*> parked_;
  std::vector<Peer> peers_;  // by member index
  std::size_t peers_down_ = 0;
  std::vector<Envelope> outgoing_;
};

}  // namespace ringwright
