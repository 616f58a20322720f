#pragma once

#include <string>
#include <vector>

#include "replication/daemon/node_service.h"
#include "replication/runtime/node_status.h"

namespace ringwright {

// The admin port's pages about a node.

std::string status_json(const NodeStatus& status);
// {"status":"degraded","reasons":["..."]}; verbose: with every check and what it says.
std::string health_json(const std::vector<HealthCheck>& checks, bool verbose);
std::string error_json(const std::string& message);

}  // namespace ringwright
