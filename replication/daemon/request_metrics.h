#pragma once

#include "replication/daemon/metrics_text.h"
#include "replication/runtime/node_status.h"

namespace ringwright {

// What a node knows of clients' requests, as their coordinator, and of its requests to the other
// members. An outcome, and a kind of request, is shown once it has happened.
void add_request_metrics(MetricsText& metrics, const NodeStatus& status);

}  // namespace ringwright
