#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "replication/ring/ring.h"
#include "replication/transport/message.h"
#include "replication/transport/transport.h"

namespace ringwright {

// Why a call of a client has no result, complete enough to be shown or thrown as it is.
struct ClientError {
  Code code = Code::unavailable;
  std::string message;                // a sentence for a person, what to do included
  Outcome outcome = Outcome::failed;  // failed: certainly no effect; unknown: perhaps one
  std::uint32_t required = 0;         // replicas that had to answer; 0: not about replicas
  std::uint32_t received = 0;         // those that did, or (unavailable) that were alive
  bool retryable = false;             // the same call may succeed later, unchanged
  NodeId node;                        // that said so; zero: the client itself
  RequestId request;                  // of a put or remove

  Status status() const { return {code, message}; }
};

// A value or the ClientError that says why there is none.
template <typename T>
class [[nodiscard]] ClientResult {
 public:
  ClientResult(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit
  ClientResult(ClientError error)                                              // NOLINT: implicit
      : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& operator*() { return std::get<0>(state_); }
  const T& operator*() const { return std::get<0>(state_); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }
  const ClientError& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, ClientError> state_;
};

// What a get found. No siblings: absent or deleted; the context still says what was seen.
struct Read {
  std::vector<ShownSibling> siblings;
  Bytes context;  // encoded; for the put that replaces what was read
  NodeId coordinator;
  bool resolved = false;  // the client's resolver made `siblings` out of several
};

// What a put or remove made.
struct Written {
  Bytes context;  // encoded; covers the event
  Dot dot;
  NodeId coordinator;
  RequestId request;
};

struct GetOptions {
  std::string keyspace;       // empty: the client's
  Level r;                    // by default the keyspace's
  Nanoseconds timeout = 0;    // 0: the client's
  std::uint64_t session = 0;  // whose read this is (a task); 0: the calling thread's
};

struct PutOptions {
  std::string keyspace;     // empty: the client's
  Level w;                  // by default the keyspace's
  Nanoseconds timeout = 0;  // 0: the client's
  // Encoded, from a get or a put of this key; nullopt: what the client remembers. Empty bytes:
  // none, so concurrent with all that is there.
  std::optional<Bytes> context;
  std::uint64_t ttl_us = 0;  // 0: the keyspace's
  // Without a given context, read first and send that read's; always so for `remove` unless
  // `blind`.
  bool read_first = false;
  bool blind = false;         // of a remove: do not read first
  std::uint64_t session = 0;  // as in GetOptions
};

struct PutItem {
  Bytes key;
  Bytes value;
  std::optional<Bytes> context;  // as in PutOptions
};

// Reduces several live siblings of a get: a subset of them, or new values. Called on the thread of
// the get, without a lock; concurrent gets call it at once.
using SiblingResolver =
    std::function<std::vector<ShownSibling>(ByteView key, std::vector<ShownSibling> siblings)>;

struct ClientOptions {
  std::string keyspace = "default";
  Nanoseconds timeout = limits::request_deadline_default;
  std::uint32_t retries = limits::client_retries_default;  // further replicas after the first
  std::string node;          // pinned: only this node is asked; empty: the key's replicas
  SiblingResolver resolver;  // none: siblings are shown as they are
};

// What a client is built on. Handed in by whoever composes it, so that this file knows no clock,
// no random source and no process.
struct ClientParts {
  std::unique_ptr<Transport> transport;  // an endpoint of its own
  Endpoint endpoint = 0;
  std::shared_ptr<const Ring> ring;
  std::vector<Endpoint> endpoints;                              // by member index
  std::map<std::string, std::uint32_t, std::less<>> keyspaces;  // name -> n
  std::shared_ptr<Clock> clock;
  std::uint64_t id_high = 0;  // 128 random bits, drawn for this client alone
  std::uint64_t id_low = 0;
  std::function<std::uint64_t()> process;  // which process this is: another one after a fork
};

// A blocking client. It knows the ring and goes straight to a replica of the key; each request has
// a deadline and a request id. When a node cannot be reached or certainly did nothing, the next
// replica is tried with the same request id, within the deadline and the bound on retries; an
// unknown outcome is never retried.
//
// It remembers, per key and bounded, the context of its last put, and per session (a thread, unless
// a call names one) that of the last get, and sends both joined when a put names none. So one
// client does not conflict with itself, except after an unknown outcome.
//
// Threads: any number may call everything. There is no thread of its own: one of the callers polls
// the transport for all of them. After `fork` the child's calls answer `closed`: open a new client
// there. `close` is final and idempotent: calls in progress and later ones answer `closed`; a put
// in progress is then unknown.
class Client {
 public:
  Client(ClientParts parts, ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  ClientResult<Read> get(ByteView key, const GetOptions& options = {});
  ClientResult<Written> put(ByteView key, ByteView value, const PutOptions& options = {});
  ClientResult<Written> remove(ByteView key, const PutOptions& options = {});

  // Pipelined, at most `concurrency` at a time over the same connection; one result for each item,
  // in their order. `context` and `read_first` of the options are not used. Items are independent
  // of each other: two puts of one key, neither with a context, make two siblings.
  std::vector<ClientResult<Read>> get_many(std::span<const Bytes> keys,
                                           const GetOptions& options = {},
                                           std::size_t concurrency = limits::client_concurrency);
  std::vector<ClientResult<Written>> put_many(std::span<const PutItem> items,
                                              const PutOptions& options = {},
                                              std::size_t concurrency = limits::client_concurrency);

  // The context that a put of this key would send if it named none; empty: none.
  Bytes remembered_context(ByteView key, std::string_view keyspace = {},
                           std::uint64_t session = 0) const;
  // Drops all remembered contexts.
  void forget_contexts();

  // By member index, as this client finds them: down is who could not be reached or kept silent
  // beyond a deadline, until it answers again.
  std::vector<bool> members_up() const;

  void close();
  bool is_closed() const;
  const ClientOptions& options() const;

 private:
  class Machine;
  std::unique_ptr<Machine> machine_;
};

}  // namespace ringwright
