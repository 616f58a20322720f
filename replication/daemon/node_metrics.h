#pragma once

#include <map>
#include <string>

#include "replication/daemon/node_service.h"
#include "replication/daemon/process_figures.h"
#include "replication/runtime/node_status.h"

namespace ringwright {

// A node's metrics in Prometheus' text format.
std::string metrics_text(const NodeStatus& status, ServiceState state,
                         const ProcessFigures& figures);
// What of it is about the node and not about its process, by name and labels.
std::map<std::string, double> node_metrics(const NodeStatus& status);

}  // namespace ringwright
