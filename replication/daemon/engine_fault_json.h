#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/status.h"
#include "replication/daemon/link_fault.h"
#include "replication/runtime/engine_faults.h"

namespace ringwright {

// {"engines":[{"keyspace":"default","paused":true,"faults":{"read_fails":0.01,"space":"1MiB"}}]};
// `paused` and `faults` may be left out, a fault is text or a number. `invalid` names what is
// wrong.
Result<std::vector<EngineFaults>> parse_engine_changes(std::string_view json);

// All that is wrong on purpose, {"links":[...],"engines":[...]}; `engines` only where there are any
// that can be made to fail or stand still.
std::string faults_json(const std::vector<LinkFault>& links,
                        const std::vector<EngineFaults>& engines);

}  // namespace ringwright
