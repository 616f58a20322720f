#pragma once

#include <string>

#include "replication/daemon/node_service.h"
#include "replication/daemon/process_figures.h"
#include "replication/runtime/node_status.h"

namespace ringwright {

// A node's metrics in Prometheus' text format.
std::string metrics_text(const NodeStatus& status, ServiceState state,
                         const ProcessFigures& figures);

}  // namespace ringwright
