#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "replication/client/client.h"
#include "replication/client/context_memory.h"
#include "replication/client/courier.h"

namespace ringwright {

// What a client knows beyond carrying: its defaults, request ids and remembered contexts. Makes
// calls and reads their answers. Threads: any.
class Requests {
 public:
  // Takes the keyspaces, the clock, the client's id and the process out of the parts, and leaves
  // what a courier uses.
  Requests(ClientParts& parts, ClientOptions options);

  const ClientOptions& options() const { return options_; }
  const std::string& keyspace_of(const std::string& named) const {
    return named.empty() ? options_.keyspace : named;
  }
  Nanoseconds timeout_of(Nanoseconds named) const { return named > 0 ? named : options_.timeout; }
  // A child made by `fork` shares the parent's mailbox and may find its locks held for ever.
  bool is_foreign() const { return process_() != home_process_; }

  // What stands in the way of a request before it is sent.
  std::optional<ClientError> refusal(const std::string& keyspace) const;
  Call get_call(ByteView key, const std::string& keyspace, const GetOptions& options);
  Call put_call(ByteView key, ByteView value, const std::string& keyspace,
                const PutOptions& options);
  Call remove_call(ByteView key, const std::string& keyspace, const PutOptions& options);
  // The read whose context a put or remove will send; at the keyspace's own r.
  Call context_call(ByteView key, const std::string& keyspace, const PutOptions& options);
  // What a put sends after a read that began at `start` found `read_context`; what is left of its
  // timeout.
  void use_read(ByteView key, const std::string& keyspace, const Bytes& read_context, Instant start,
                PutOptions& options);

  // Of an ended call. A get's answer is remembered by `note_read` only, once its caller has it: a
  // context must not cover what nobody saw.
  ClientResult<Read> read_of(Call& call) const;
  void note_read(std::string_view keyspace, ByteView key, std::uint64_t session, ByteView context);
  // `recalled`: the put sent all that the session remembers of the key.
  ClientResult<Written> written_of(Call& call, const std::string& keyspace, std::uint64_t session,
                                   bool recalled);

  Bytes remembered(ByteView key, std::string_view keyspace, std::uint64_t session);
  void forget() { contexts_.clear(); }

 private:
  const ClientOptions options_;
  const std::shared_ptr<Clock> clock_;
  const std::map<std::string, std::uint32_t, std::less<>> keyspaces_;
  const std::uint64_t id_high_;
  const std::uint64_t id_low_;
  const std::function<std::uint64_t()> process_;
  const std::uint64_t home_process_;
  std::atomic<std::uint64_t> sequence_{0};
  ContextMemory contexts_;
};

}  // namespace ringwright
