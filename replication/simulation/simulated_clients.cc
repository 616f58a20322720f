#include "replication/simulation/simulated_clients.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/base/hash.h"

namespace ringwright {
namespace {

constexpr int try_bits = 8;
// A client waits a little longer than it told the node to try.
constexpr Nanoseconds patience = milliseconds(20);

std::optional<Context> decoded(ByteView bytes) {
  if (bytes.empty()) return std::nullopt;
  auto context = decode_context(bytes);
  return context ? std::optional<Context>(std::move(*context)) : std::nullopt;
}

}  // namespace

SimulatedClients::SimulatedClients(EventQueue& queue, Trace& trace, SimulatedNetwork& network,
                                   const SimulationOptions& options, Bytes keyspace,
                                   FindEndpoint endpoint_of)
    : queue_(queue),
      trace_(trace),
      network_(network),
      options_(options),
      keyspace_(std::move(keyspace)),
      endpoint_of_(std::move(endpoint_of)),
      sessions_(options.clients) {
  for (std::uint32_t client = 0; client < options.clients; ++client)
    network_.attach(endpoint_of_client(client),
                    [this, client](const Envelope& envelope) { receive(client, envelope); });
}

OperationHandle SimulatedClients::start(OperationKind kind, NodeIndex node, ByteView key,
                                        ByteView value, const OperationOptions& options) {
  RW_CHECK(options.client < sessions_.size());
  Session& session = sessions_[options.client];
  Operation& operation = operations_.emplace_back();
  const OperationHandle handle = operations_.size();
  operation.nodes = options.retry_through;
  operation.nodes.insert(operation.nodes.begin(), node);
  RW_CHECK(operation.nodes.size() < (1U << try_bits));
  operation.level = options.level;
  operation.timeout = options.timeout;
  operation.request = {hash64("client", options_.seed), options.client + 1, handle};
  if (kind != OperationKind::get) {
    if (options.context)
      operation.context = *options.context;
    else if (options.remembered)
      operation.context = session.contexts[Bytes(key)];
  }

  HistoryOperation& written = history_.emplace_back();
  written.id = handle;
  written.client = options.client;
  written.session = session.number;
  written.key = key;
  written.kind = kind;
  written.value = value;
  written.context_in = decoded(operation.context);
  written.n = options_.n;
  (kind == OperationKind::get ? written.r : written.w) = options.level;
  written.invoke_t = queue_.now();
  trace_.add(queue_.now(), TraceKind::client, handle, hash64(value, hash64(key)));
  send_try(handle);
  return handle;
}

const OperationResult& SimulatedClients::result(OperationHandle operation) const {
  RW_CHECK(operation > 0 && operation <= operations_.size());
  return operations_[operation - 1].result;
}

void SimulatedClients::forget_contexts(std::uint32_t client) {
  sessions_[client].contexts.clear();
  ++sessions_[client].number;
}

void SimulatedClients::send_try(OperationHandle handle) {
  Operation& operation = at(handle);
  HistoryOperation& written = history_[handle - 1];
  const std::size_t tried = operation.tries.size();
  operation.tries.push_back(Try::waiting);
  operation.result.tries = static_cast<std::uint32_t>(operation.tries.size());
  written.coordinator = "node" + std::to_string(operation.nodes[tried] + 1);

  Envelope envelope;
  envelope.source = endpoint_of_client(written.client);
  envelope.target = endpoint_of_(operation.nodes[tried]);
  const OperationId name = handle << try_bits | tried;
  const Level level{static_cast<std::uint8_t>(operation.level)};
  if (written.is_write()) {
    PutRequest put;
    put.operation = name;
    put.keyspace = keyspace_;
    put.key = written.key;
    put.value = written.value;
    put.tombstone = written.kind == OperationKind::remove;
    put.context = operation.context;
    put.w = level;
    put.request = operation.request;
    put.timeout = operation.timeout;
    envelope.message = std::move(put);
  } else {
    envelope.message = GetRequest{name, keyspace_, written.key, level, operation.timeout};
  }
  const Nanoseconds wait = operation.timeout + patience;
  network_.send(std::move(envelope));
  queue_.after(wait, [this, handle, tried] { give_up_try(handle, tried, Try::unknown); });
}

void SimulatedClients::receive(std::uint32_t client, const Envelope& envelope) {
  const auto* reply = std::get_if<ClientReply>(&envelope.message);
  if (reply == nullptr) {
    protocol_errors_.push_back("client " + std::to_string(client) + " was sent a " +
                               std::string(message_type_name(envelope.message)));
    return;
  }
  if (fits(*reply, client)) accept(reply->operation >> try_bits, *reply);
}

bool SimulatedClients::fits(const ClientReply& reply, std::uint32_t client) {
  const OperationHandle handle = reply.operation >> try_bits;
  const std::size_t tried = reply.operation & ((1U << try_bits) - 1);
  const bool known = handle > 0 && handle <= operations_.size() &&
                     history_[handle - 1].client == client && tried < at(handle).tries.size();
  if (!known) {
    protocol_errors_.push_back("client " + std::to_string(client) +
                               " was answered an operation that it never sent");
    return false;
  }
  const HistoryOperation& asked = history_[handle - 1];
  if (reply.key != asked.key || (asked.is_write() && reply.request != at(handle).request)) {
    protocol_errors_.push_back("operation " + std::to_string(handle) + " for key " +
                               printable(asked.key) + " was answered for key " +
                               printable(reply.key));
    return false;
  }
  return true;
}

void SimulatedClients::accept(OperationHandle handle, const ClientReply& reply) {
  const std::size_t tried = reply.operation & ((1U << try_bits) - 1);
  Operation& operation = at(handle);
  HistoryOperation& written = history_[handle - 1];
  if (reply.outcome == Outcome::ok) {
    if (written.is_write()) {
      const auto context = decoded(reply.context);
      const HistoryOperation::Event event{reply.dot, context ? context->stamp : 0};
      if (std::find(written.events.begin(), written.events.end(), event) == written.events.end())
        written.events.push_back(event);
    }
    finish(handle, Outcome::ok, &reply);
    return;
  }
  operation.result.code = reply.code;
  operation.result.message = reply.message;
  operation.result.required = reply.required;
  operation.result.received = reply.received;
  give_up_try(handle, tried, reply.outcome == Outcome::failed ? Try::failed : Try::unknown);
}

void SimulatedClients::give_up_try(OperationHandle handle, std::size_t tried, Try state) {
  Operation& operation = at(handle);
  if (operation.result.done || operation.tries[tried] != Try::waiting) return;
  operation.tries[tried] = state;
  if (tried + 1 < operation.tries.size()) return;  // the next try is on its way already
  if (operation.tries.size() < operation.nodes.size()) return send_try(handle);
  const bool all_failed = std::all_of(operation.tries.begin(), operation.tries.end(),
                                      [](Try each) { return each == Try::failed; });
  if (state == Try::unknown && operation.result.code == Code::ok)
    operation.result.code = Code::timed_out;
  finish(handle, all_failed ? Outcome::failed : Outcome::unknown, nullptr);
}

void SimulatedClients::finish(OperationHandle handle, Outcome outcome, const ClientReply* reply) {
  Operation& operation = at(handle);
  if (operation.result.done) return;
  HistoryOperation& written = history_[handle - 1];
  operation.result.done = true;
  operation.result.outcome = outcome;
  if (reply != nullptr) {
    operation.result.code = reply->code;
    operation.result.message = reply->message;
    operation.result.siblings = reply->siblings;
    operation.result.context = reply->context;
    operation.result.dot = reply->dot;
    operation.result.required = reply->required;
    operation.result.received = reply->received;
    written.read = reply->siblings;
    written.context_out = decoded(reply->context);
    Session& session = sessions_[written.client];
    if (!reply->context.empty() && session.number == written.session)
      session.contexts[written.key] = reply->context;
  }
  written.outcome = outcome;
  written.code = operation.result.code;
  written.return_t = queue_.now();
  trace_.add(queue_.now(), TraceKind::client, handle, static_cast<std::uint64_t>(outcome));
  if (finished_) finished_(handle);
}

}  // namespace ringwright
