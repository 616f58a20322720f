#include "replication/client/client.h"

#include <utility>

#include "replication/client/courier.h"
#include "replication/client/requests.h"

namespace ringwright {

class Client::Machine {
 public:
  Machine(ClientParts parts, ClientOptions options)
      : clock_(parts.clock),
        requests_(parts, std::move(options)),
        courier_(std::move(parts), requests_.options().node, requests_.options().retries) {}

  ClientResult<Read> get(ByteView key, const GetOptions& options);
  ClientResult<Written> put(ByteView key, ByteView value, const PutOptions& options);
  ClientResult<Written> remove(ByteView key, const PutOptions& options);
  std::vector<ClientResult<Read>> get_many(std::span<const Bytes> keys, const GetOptions& options,
                                           std::size_t concurrency);
  std::vector<ClientResult<Written>> put_many(std::span<const PutItem> items,
                                              const PutOptions& options, std::size_t concurrency);
  void close() { courier_.close(); }
  bool is_closed() const { return requests_.is_foreign() || courier_.is_closed(); }
  Requests& requests() { return requests_; }
  std::vector<bool> members_up() const { return courier_.members_up(); }

 private:
  // The answer to a get, remembered.
  ClientResult<Read> read_of(Call& call, const std::string& keyspace, std::uint64_t session);
  // Reads for a put's context when it asks for that; spends its deadline.
  std::optional<ClientError> read_context(ByteView key, const std::string& keyspace,
                                          PutOptions& options);

  const std::shared_ptr<Clock> clock_;
  Requests requests_;
  Courier courier_;
};

ClientResult<Read> Client::Machine::read_of(Call& call, const std::string& keyspace,
                                            std::uint64_t session) {
  if (call.reply) requests_.note_read(keyspace, call.reply->key, session, call.reply->context);
  return requests_.read_of(call);
}

ClientResult<Read> Client::Machine::get(ByteView key, const GetOptions& options) {
  const std::string& keyspace = requests_.keyspace_of(options.keyspace);
  if (auto error = requests_.refusal(keyspace)) return std::move(*error);
  Call call = requests_.get_call(key, keyspace, options);
  courier_.carry({&call, 1}, 1);
  return read_of(call, keyspace, options.session);
}

std::optional<ClientError> Client::Machine::read_context(ByteView key, const std::string& keyspace,
                                                         PutOptions& options) {
  const Instant start = clock_->now();
  Call call = requests_.context_call(key, keyspace, options);
  courier_.carry({&call, 1}, 1);
  if (call.error) return std::move(*call.error);
  requests_.use_read(key, keyspace, call.reply->context, start, options);
  return std::nullopt;
}

ClientResult<Written> Client::Machine::put(ByteView key, ByteView value,
                                           const PutOptions& options) {
  const std::string& keyspace = requests_.keyspace_of(options.keyspace);
  if (auto error = requests_.refusal(keyspace)) return std::move(*error);
  PutOptions sending = options;
  if (options.read_first && !options.context)
    if (auto error = read_context(key, keyspace, sending)) return std::move(*error);
  Call call = requests_.put_call(key, value, keyspace, sending);
  courier_.carry({&call, 1}, 1);
  return requests_.written_of(call, keyspace, options.session, !options.context);
}

ClientResult<Written> Client::Machine::remove(ByteView key, const PutOptions& options) {
  const std::string& keyspace = requests_.keyspace_of(options.keyspace);
  if (auto error = requests_.refusal(keyspace)) return std::move(*error);
  PutOptions sending = options;
  if (!options.blind && !options.context)
    if (auto error = read_context(key, keyspace, sending)) return std::move(*error);
  Call call = requests_.remove_call(key, keyspace, sending);
  courier_.carry({&call, 1}, 1);
  return requests_.written_of(call, keyspace, options.session, !options.context);
}

std::vector<ClientResult<Read>> Client::Machine::get_many(std::span<const Bytes> keys,
                                                          const GetOptions& options,
                                                          std::size_t concurrency) {
  const std::string& keyspace = requests_.keyspace_of(options.keyspace);
  std::vector<ClientResult<Read>> results;
  results.reserve(keys.size());
  if (const auto error = requests_.refusal(keyspace)) {
    for (std::size_t i = 0; i < keys.size(); ++i) results.emplace_back(*error);
    return results;
  }
  std::vector<Call> calls;
  calls.reserve(keys.size());
  for (const Bytes& key : keys) calls.push_back(requests_.get_call(key, keyspace, options));
  courier_.carry(calls, concurrency);
  for (Call& call : calls) results.push_back(read_of(call, keyspace, options.session));
  return results;
}

std::vector<ClientResult<Written>> Client::Machine::put_many(std::span<const PutItem> items,
                                                             const PutOptions& options,
                                                             std::size_t concurrency) {
  const std::string& keyspace = requests_.keyspace_of(options.keyspace);
  std::vector<ClientResult<Written>> results;
  results.reserve(items.size());
  if (const auto error = requests_.refusal(keyspace)) {
    for (std::size_t i = 0; i < items.size(); ++i) results.emplace_back(*error);
    return results;
  }
  std::vector<Call> calls;
  calls.reserve(items.size());
  PutOptions sending = options;
  for (const PutItem& item : items) {
    sending.context = item.context;
    calls.push_back(requests_.put_call(item.key, item.value, keyspace, sending));
  }
  courier_.carry(calls, concurrency);
  for (std::size_t i = 0; i < items.size(); ++i)
    results.push_back(requests_.written_of(calls[i], keyspace, options.session, !items[i].context));
  return results;
}

Client::Client(ClientParts parts, ClientOptions options)
    : machine_(std::make_unique<Machine>(std::move(parts), std::move(options))) {}

Client::~Client() {
  if (machine_->requests().is_foreign())
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
  return machine_->requests().remembered(key, keyspace, session);
}
void Client::forget_contexts() { machine_->requests().forget(); }
void Client::close() {
  if (!machine_->requests().is_foreign()) machine_->close();
}
std::vector<bool> Client::members_up() const { return machine_->members_up(); }
bool Client::is_closed() const { return machine_->is_closed(); }
const ClientOptions& Client::options() const { return machine_->requests().options(); }

}  // namespace ringwright
