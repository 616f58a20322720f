#pragma once

#include "replication/daemon/metrics_text.h"
#include "replication/runtime/node_status.h"

namespace ringwright {

// What a node knows of one of its engines. A call, and an error code, is shown once it has
// happened.
void add_engine_metrics(MetricsText& metrics, const EngineStatus& engine);

}  // namespace ringwright
