#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "replication/history/history.h"
#include "replication/simulation/event_queue.h"
#include "replication/simulation/simulated_network.h"
#include "replication/simulation/trace.h"
#include "replication/simulation/world.h"

namespace ringwright {

// The clients of a simulated cluster: each is an endpoint of the network. Keeps the history.
//
// An operation has up to 1 + retry_through tries, one after the other, all with one request id. A
// reply counts whenever it comes: an ok one names an event that some node has promised to keep,
// even after the client gave up.
class SimulatedClients {
 public:
  using FindEndpoint = std::function<Endpoint(NodeIndex)>;
  using Finished = std::function<void(OperationHandle)>;

  SimulatedClients(EventQueue& queue, Trace& trace, SimulatedNetwork& network,
                   const SimulationOptions& options, Bytes keyspace, FindEndpoint endpoint_of);

  static Endpoint endpoint_of_client(std::uint32_t client) { return 10'000 + client; }

  OperationHandle start(OperationKind kind, NodeIndex node, ByteView key, ByteView value,
                        const OperationOptions& options);
  const OperationResult& result(OperationHandle operation) const;
  const History& history() const { return history_; }
  void forget_contexts(std::uint32_t client);
  void on_finished(Finished finished) { finished_ = std::move(finished); }
  // Replies that no correct node sends: for another key, request or client.
  const std::vector<std::string>& protocol_errors() const { return protocol_errors_; }

 private:
  enum class Try : std::uint8_t { waiting, failed, unknown };
  struct Operation {
    std::vector<NodeIndex> nodes;  // by try
    std::vector<Try> tries;        // those that were sent
    std::uint32_t level = 0;
    Nanoseconds timeout = 0;
    Bytes context;
    RequestId request;
    OperationResult result;
  };
  struct Session {
    std::uint32_t number = 0;
    std::map<Bytes, Bytes> contexts;  // by key, encoded
  };

  void send_try(OperationHandle handle);
  void receive(std::uint32_t client, const Envelope& envelope);
  bool fits(const ClientReply& reply, std::uint32_t client);
  void accept(OperationHandle handle, const ClientReply& reply);
  void give_up_try(OperationHandle handle, std::size_t tried, Try state);
  void finish(OperationHandle handle, Outcome outcome, const ClientReply* reply);
  Operation& at(OperationHandle handle) { return operations_[handle - 1]; }

  EventQueue& queue_;
  Trace& trace_;
  SimulatedNetwork& network_;
  const SimulationOptions options_;
  const Bytes keyspace_;
  const FindEndpoint endpoint_of_;
  std::vector<Session> sessions_;     // by client
  std::deque<Operation> operations_;  // results are handed out by reference
  History history_;
  Finished finished_;
  std::vector<std::string> protocol_errors_;
};

}  // namespace ringwright
