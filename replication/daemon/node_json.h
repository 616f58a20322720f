#pragma once

#include <string>
#include <vector>

#include "replication/daemon/node_service.h"
#include "replication/runtime/node_status.h"

namespace ringwright {

// The admin port's pages about a node.

// Keys in it are escaped: printable ASCII as it is, `\\` for a backslash, `\xNN` for other bytes.
std::string status_json(const NodeStatus& status);
// {"status":"degraded","reasons":["..."]}; verbose: with every check and what it says.
std::string health_json(const std::vector<HealthCheck>& checks, bool verbose);
std::string error_json(const std::string& message);

}  // namespace ringwright
