#include "replication/client/requests.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/base/nearest.h"

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

Requests::Requests(ClientParts& parts, ClientOptions options)
    : options_(std::move(options)),
      clock_(parts.clock),
      keyspaces_(std::move(parts.keyspaces)),
      id_high_(parts.id_high),
      id_low_(parts.id_low),
      process_(std::move(parts.process)),
      home_process_(process_()),
      contexts_(limits::client_contexts_max) {}

std::optional<ClientError> Requests::refusal(const std::string& keyspace) const {
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

Call Requests::get_call(ByteView key, const std::string& keyspace, const GetOptions& options) {
  GetRequest request;
  request.keyspace = keyspace;
  request.key = key;
  request.r = options.r;
  Call call;
  call.request = std::move(request);
  call.timeout = timeout_of(options.timeout);
  return call;
}

Call Requests::put_call(ByteView key, ByteView value, const std::string& keyspace,
                        const PutOptions& options) {
  PutRequest request;
  request.keyspace = keyspace;
  request.key = key;
  request.value = value;
  request.context = options.context
                        ? *options.context
                        : contexts_.recall(keyspace, key, session_name(options.session));
  request.w = options.w;
  request.ttl_us = options.ttl_us;
  request.request = {id_high_, id_low_, ++sequence_};
  Call call;
  call.request = std::move(request);
  call.timeout = timeout_of(options.timeout);
  return call;
}

Call Requests::remove_call(ByteView key, const std::string& keyspace, const PutOptions& options) {
  Call call = put_call(key, {}, keyspace, options);
  std::get<PutRequest>(call.request).tombstone = true;
  return call;
}

Call Requests::context_call(ByteView key, const std::string& keyspace, const PutOptions& options) {
  GetOptions reading;
  reading.timeout = options.timeout;
  return get_call(key, keyspace, reading);
}

void Requests::use_read(ByteView key, const std::string& keyspace, const Bytes& read_context,
                        Instant start, PutOptions& options) {
  // The last own put counts as seen, should the read have missed it.
  options.context =
      join_contexts(contexts_.recall(keyspace, key, session_name(options.session)), read_context);
  options.timeout =
      std::max<Nanoseconds>(timeout_of(options.timeout) - (clock_->now() - start), milliseconds(1));
}

ClientResult<Read> Requests::read_of(Call& call) const {
  if (call.error) return std::move(*call.error);
  ClientReply& reply = *call.reply;
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

void Requests::note_read(std::string_view keyspace, ByteView key, std::uint64_t session,
                         ByteView context) {
  contexts_.note_read(keyspace, key, session_name(session), context);
}

ClientResult<Written> Requests::written_of(Call& call, const std::string& keyspace,
                                           std::uint64_t session, bool recalled) {
  if (call.error) return std::move(*call.error);
  ClientReply& reply = *call.reply;
  contexts_.note_written(keyspace, reply.key, session_name(session), recalled, reply.context);
  return Written{std::move(reply.context), reply.dot, reply.coordinator, reply.request};
}

Bytes Requests::remembered(ByteView key, std::string_view keyspace, std::uint64_t session) {
  return contexts_.recall(keyspace.empty() ? std::string_view(options_.keyspace) : keyspace, key,
                          session_name(session));
}

}  // namespace ringwright
