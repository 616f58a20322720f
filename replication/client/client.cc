#include "replication/client/client.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <utility>

#include "engine/base/nearest.h"
#include "replication/client/context_memory.h"
#include "replication/client/courier.h"

namespace ringwright {
namespace {

// Threads are numbered, never to be reused, as the system reuses their ids: a new thread must not
// inherit what a dead one has read.
std::uint64_t thread_number() {
  static std::atomic<std::uint64_t> next{1};
  thread_local const std::uint64_t own = next.fetch_add(1);
  return own;
}

// Threads and sessions that a caller names are told apart by the lowest bit.
std::uint64_t session_name(std::uint64_t named) {
  return named != 0 ? named << 1 | 1 : thread_number() << 1;
}

}  // namespace

class Client::Machine {
 public:
  Machine(ClientParts parts, ClientOptions options)
      : options_(std::move(options)),
        clock_(parts.clock),
        keyspaces_(std::move(parts.keyspaces)),
        id_high_(parts.id_high),
        id_low_(parts.id_low),
        process_(std::move(parts.process)),
        home_process_(process_()),
        contexts_(limits::client_contexts_max),
        courier_(std::move(parts), options_.node, options_.retries) {}

  ClientResult<Read> get(ByteView key, const GetOptions& options);
  ClientResult<Written> put(ByteView key, ByteView value, const PutOptions& options);
  ClientResult<Written> remove(ByteView key, const PutOptions& options);
  std::vector<ClientResult<Read>> get_many(std::span<const Bytes> keys, const GetOptions& options,
                                           std::size_t concurrency);
  std::vector<ClientResult<Written>> put_many(std::span<const PutItem> items,
                                              const PutOptions& options, std::size_t concurrency);
  Bytes remembered(ByteView key, std::string_view keyspace, std::uint64_t session) {
    return contexts_.recall(keyspace.empty() ? std::string_view(options_.keyspace) : keyspace, key,
                            session_name(session));
  }
  void forget() { contexts_.clear(); }
  void close() { courier_.close(); }
  bool is_closed() const { return is_foreign() || courier_.is_closed(); }
  // A child made by `fork` shares the parent's mailbox and may find its locks held for ever.
  bool is_foreign() const { return process_() != home_process_; }
  const ClientOptions& options() const { return options_; }

 private:
  const std::string& keyspace_of(const std::string& named) const {
    return named.empty() ? options_.keyspace : named;
  }
  // What stands in the way of a request before it is sent.
  std::optional<ClientError> refusal(const std::string& keyspace) const;
  Call get_call(ByteView key, const std::string& keyspace, const GetOptions& options);
  Call put_call(ByteView key, const std::string& keyspace, const PutOptions& options);
  ClientResult<Read> read_of(Call& call, const std::string& keyspace, std::uint64_t session);
  // `recalled`: the put sent all that the session remembers of the key.
  ClientResult<Written> written_of(Call& call, const std::string& keyspace, std::uint64_t session,
                                   bool recalled);
  // Reads for a put's context when it asks for that; spends its deadline.
  std::optional<ClientError> read_context(ByteView key, const std::string& keyspace,
                                          PutOptions& options);

  const ClientOptions options_;
  const std::shared_ptr<Clock> clock_;
  const std::map<std::string, std::uint32_t, std::less<>> keyspaces_;
  const std::uint64_t id_high_;
  const std::uint64_t id_low_;
  const std::function<std::uint64_t()> process_;
  const std::uint64_t home_process_;
  std::atomic<std::uint64_t> sequence_{0};
  ContextMemory contexts_;
  Courier courier_;
};

std::optional<ClientError> Client::Machine::refusal(const std::string& keyspace) const {
  ClientError error;
  if (is_foreign()) {
    error.code = Code::closed;
    error.message = "the client was opened before this process was forked: open a new one here";
    return error;
  }
  if (keyspaces_.contains(keyspace)) return std::nullopt;
  std::vector<std::string> known;
  for (const auto& [name, n] : keyspaces_) known.push_back(name);
  error.code = Code::invalid;
  error.message = "there is no keyspace '" + keyspace + "'; did you mean '" +
                  nearest_name(keyspace, known) + "'?";
  return error;
}

Call Client::Machine::get_call(ByteView key, const std::string& keyspace,
                               const GetOptions& options) {
  GetRequest request;
  request.keyspace = keyspace;
  request.key = key;
  request.r = options.r;
  Call call;
  call.request = std::move(request);
  call.timeout = options.timeout > 0 ? options.timeout : options_.timeout;
  return call;
}

Call Client::Machine::put_call(ByteView key, const std::string& keyspace,
                               const PutOptions& options) {
  PutRequest request;
  request.keyspace = keyspace;
  request.key = key;
  request.context = options.context
                        ? *options.context
                        : contexts_.recall(keyspace, key, session_name(options.session));
  request.w = options.w;
  request.ttl_us = options.ttl_us;
  request.request = {id_high_, id_low_, ++sequence_};
  Call call;
  call.request = std::move(request);
  call.timeout = options.timeout > 0 ? options.timeout : options_.timeout;
  return call;
}

ClientResult<Read> Client::Machine::read_of(Call& call, const std::string& keyspace,
                                            std::uint64_t session) {
  if (call.error) return std::move(*call.error);
  ClientReply& reply = *call.reply;
  contexts_.note_read(keyspace, reply.key, session_name(session), reply.context);
  Read read;
  read.siblings = std::move(reply.siblings);
  read.context = std::move(reply.context);
  read.coordinator = reply.coordinator;
  if (options_.resolver && read.siblings.size() > 1) {
    read.siblings = options_.resolver(reply.key, std::move(read.siblings));
    read.resolved = true;
  }
  return read;
}

ClientResult<Written> Client::Machine::written_of(Call& call, const std::string& keyspace,
                                                  std::uint64_t session, bool recalled) {
  if (call.error) return std::move(*call.error);
  ClientReply& reply = *call.reply;
  contexts_.note_written(keyspace, reply.key, session_name(session), recalled, reply.context);
  return Written{std::move(reply.context), reply.dot, reply.coordinator, reply.request};
}

ClientResult<Read> Client::Machine::get(ByteView key, const GetOptions& options) {
  const std::string& keyspace = keyspace_of(options.keyspace);
  if (auto error = refusal(keyspace)) return std::move(*error);
  Call call = get_call(key, keyspace, options);
  courier_.carry({&call, 1}, 1);
  return read_of(call, keyspace, options.session);
}

std::optional<ClientError> Client::Machine::read_context(ByteView key, const std::string& keyspace,
                                                         PutOptions& options) {
  const Instant start = clock_->now();
  const Nanoseconds timeout = options.timeout > 0 ? options.timeout : options_.timeout;
  GetOptions reading;
  reading.timeout = timeout;
  Call call = get_call(key, keyspace, reading);
  courier_.carry({&call, 1}, 1);
  if (call.error) return std::move(*call.error);
  // The last own put counts as seen, should this read have missed it.
  options.context = join_contexts(contexts_.recall(keyspace, key, session_name(options.session)),
                                  call.reply->context);
  options.timeout = std::max<Nanoseconds>(timeout - (clock_->now() - start), milliseconds(1));
  return std::nullopt;
}

ClientResult<Written> Client::Machine::put(ByteView key, ByteView value,
                                           const PutOptions& options) {
  const std::string& keyspace = keyspace_of(options.keyspace);
  if (auto error = refusal(keyspace)) return std::move(*error);
  PutOptions sending = options;
  if (options.read_first && !options.context)
    if (auto error = read_context(key, keyspace, sending)) return std::move(*error);
  Call call = put_call(key, keyspace, sending);
  std::get<PutRequest>(call.request).value = value;
  courier_.carry({&call, 1}, 1);
  return written_of(call, keyspace, options.session, !options.context);
}

ClientResult<Written> Client::Machine::remove(ByteView key, const PutOptions& options) {
  const std::string& keyspace = keyspace_of(options.keyspace);
  if (auto error = refusal(keyspace)) return std::move(*error);
  PutOptions sending = options;
  if (!options.blind && !options.context)
    if (auto error = read_context(key, keyspace, sending)) return std::move(*error);
  Call call = put_call(key, keyspace, sending);
  std::get<PutRequest>(call.request).tombstone = true;
  courier_.carry({&call, 1}, 1);
  return written_of(call, keyspace, options.session, !options.context);
}

std::vector<ClientResult<Read>> Client::Machine::get_many(std::span<const Bytes> keys,
                                                          const GetOptions& options,
                                                          std::size_t concurrency) {
  const std::string& keyspace = keyspace_of(options.keyspace);
  std::vector<ClientResult<Read>> results;
  results.reserve(keys.size());
  if (const auto error = refusal(keyspace)) {
    for (std::size_t i = 0; i < keys.size(); ++i) results.emplace_back(*error);
    return results;
  }
  std::vector<Call> calls;
  calls.reserve(keys.size());
  for (const Bytes& key : keys) calls.push_back(get_call(key, keyspace, options));
  courier_.carry(calls, concurrency);
  for (Call& call : calls) results.push_back(read_of(call, keyspace, options.session));
  return results;
}

std::vector<ClientResult<Written>> Client::Machine::put_many(std::span<const PutItem> items,
                                                             const PutOptions& options,
                                                             std::size_t concurrency) {
  const std::string& keyspace = keyspace_of(options.keyspace);
  std::vector<ClientResult<Written>> results;
  results.reserve(items.size());
  if (const auto error = refusal(keyspace)) {
    for (std::size_t i = 0; i < items.size(); ++i) results.emplace_back(*error);
    return results;
  }
  std::vector<Call> calls;
  calls.reserve(items.size());
  PutOptions sending = options;
  for (const PutItem& item : items) {
    sending.context = item.context;
    calls.push_back(put_call(item.key, keyspace, sending));
    std::get<PutRequest>(calls.back().request).value = item.value;
  }
  courier_.carry(calls, concurrency);
  for (std::size_t i = 0; i < items.size(); ++i)
    results.push_back(written_of(calls[i], keyspace, options.session, !items[i].context));
  return results;
}

Client::Client(ClientParts parts, ClientOptions options)
    : machine_(std::make_unique<Machine>(std::move(parts), std::move(options))) {}

Client::~Client() {
  if (machine_->is_foreign())
    machine_.release();
  else
    machine_->close();
}

ClientResult<Read> Client::get(ByteView key, const GetOptions& options) {
  return machine_->get(key, options);
}
ClientResult<Written> Client::put(ByteView key, ByteView value, const PutOptions& options) {
  return machine_->put(key, value, options);
}
ClientResult<Written> Client::remove(ByteView key, const PutOptions& options) {
  return machine_->remove(key, options);
}
std::vector<ClientResult<Read>> Client::get_many(std::span<const Bytes> keys,
                                                 const GetOptions& options,
                                                 std::size_t concurrency) {
  return machine_->get_many(keys, options, concurrency);
}
std::vector<ClientResult<Written>> Client::put_many(std::span<const PutItem> items,
                                                    const PutOptions& options,
                                                    std::size_t concurrency) {
  return machine_->put_many(items, options, concurrency);
}
Bytes Client::remembered_context(ByteView key, std::string_view keyspace,
                                 std::uint64_t session) const {
  return machine_->remembered(key, keyspace, session);
}
void Client::forget_contexts() { machine_->forget(); }
void Client::close() {
  if (!machine_->is_foreign()) machine_->close();
}
bool Client::is_closed() const { return machine_->is_closed(); }
const ClientOptions& Client::options() const { return machine_->options(); }

}  // namespace ringwright
