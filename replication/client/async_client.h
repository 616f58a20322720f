#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <variant>
#include <vector>

#include "replication/client/client.h"

namespace ringwright {

// A client whose calls do not block: each is given a ticket, and its answer is collected later. It
// knows, tries and remembers as `Client` does, with two differences: it has a thread to carry for
// it, which calls `run`; and what a get found is remembered only when `note_read` says that its
// caller has it, as an answer may come after whoever asked has left.
//
// Sessions (GetOptions, PutOptions) are named by the caller, never 0: threads mean nothing here.
//
// Threads: any number may call everything, and nothing but `run` and `close` waits. After `fork`
// the child's calls answer `closed`. `close` is final and idempotent: all calls end, those that
// were sent as unknown, and can still be collected.
class AsyncClient {
 public:
  using Ticket = std::uint64_t;
  struct Answer {
    Ticket ticket = 0;
    std::variant<ClientResult<Read>, ClientResult<Written>> result;
  };

  // `notify` is called when there is something to collect and was nothing before; on any thread,
  // without a lock. A resolver among the options runs on the thread of `run`.
  AsyncClient(ClientParts parts, ClientOptions options, std::function<void()> notify);
  ~AsyncClient();
  AsyncClient(const AsyncClient&) = delete;
  AsyncClient& operator=(const AsyncClient&) = delete;

  // Carries all calls until `close`; to be called by one thread, once.
  void run();

  // Above limits::async_calls_max calls under way the answer is `overloaded`.
  Ticket get(ByteView key, const GetOptions& options = {});
  Ticket put(ByteView key, ByteView value, const PutOptions& options = {});
  Ticket remove(ByteView key, const PutOptions& options = {});
  // All answers that have come since the last time, in their order.
  std::vector<Answer> collect();

  // The session's caller has seen what a get of the key found.
  void note_read(ByteView key, std::string_view keyspace, std::uint64_t session, ByteView context);
  // As of `Client`.
  Bytes remembered_context(ByteView key, std::string_view keyspace, std::uint64_t session) const;
  void forget_contexts();
  std::vector<bool> members_up() const;

  void close();
  bool is_closed() const;
  // This process was forked from the one that made it, and has not its thread.
  bool is_foreign() const;
  const ClientOptions& options() const;

 private:
  class Machine;
  std::unique_ptr<Machine> machine_;
};

}  // namespace ringwright
