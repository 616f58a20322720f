#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/event_log.h"
#include "engine/base/status.h"
#include "replication/config/settings.h"
#include "replication/daemon/link_fault.h"
#include "replication/runtime/engine_faults.h"
#include "replication/runtime/node_status.h"

namespace ringwright {

// What `NodeService::open` would refuse before it touches the world: the settings themselves, parts
// that are not there. `settings` as `Settings::for_node` makes them.
Status check_node_settings(const Settings& settings);

enum class ServiceState : std::uint8_t { starting, serving, draining, stopped };
std::string_view service_state_name(ServiceState state);

// One thing that a node says of its health.
struct HealthCheck {
  enum class Verdict : std::uint8_t { good, degraded, failing };
  std::string name;
  Verdict verdict = Verdict::good;
  std::string reason;  // a sentence
};

// One node as its configuration says: its directory, its threads, its ports and its admin port.
//
//   open --> serving --> drain --> stop
//                 \------------------> stop | kill
//
// Threads: any; calls that end the node wait for each other. No thread outlives `stop` or `kill`.
// In a child made by `fork` it does nothing.
class NodeService {
 public:
  // Serves when it returns. `settings` are those of a cluster or of a node alike: `for_node` is
  // applied here. `events` may be null.
  // `invalid`: the settings; `unavailable`: an address is taken; `locked`, `mismatch`: the
  // directory.
  static Result<std::unique_ptr<NodeService>> open(const Settings& settings,
                                                   std::shared_ptr<EventLog> events);
  ~NodeService();  // as `kill`
  NodeService(const NodeService&) = delete;
  NodeService& operator=(const NodeService&) = delete;

  // With the ports that the system chose; `admin` is empty when there is none.
  struct Addresses {
    std::string client;
    std::string peer;
    std::string admin;
  };
  Addresses addresses() const;
  const std::string& name() const;
  NodeId id() const;

  ServiceState state() const;
  // Whether it serves and means to go on.
  bool is_ready() const { return state() == ServiceState::serving; }
  NodeStatus status();
  std::vector<HealthCheck> health();

  // Of the links to and from all members; `invalid` unless dev.faults, or for an unknown member.
  Status set_faults(std::vector<LinkFault> faults);
  std::vector<LinkFault> faults() const;
  // Each with `NodeRunner::change_engine`, in order, until one is refused; `invalid` also unless
  // dev.faults, `unavailable` unless it serves.
  Status change_engines(const std::vector<EngineFaults>& changes);
  std::vector<EngineFaults> engine_faults();
  bool may_inject_faults() const;

  // Says first that it is not ready any more, then finishes or refuses what is in flight, flushes
  // and closes the engines. The admin port goes on answering.
  Status drain();
  // Drains, and gives the ports and the directory back.
  Status stop();
  // As a process dies: nothing is flushed.
  void kill();

 private:
  class Body;
  explicit NodeService(std::unique_ptr<Body> body);
  std::unique_ptr<Body> body_;
};

}  // namespace ringwright
