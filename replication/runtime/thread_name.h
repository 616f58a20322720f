#pragma once

#include <string>

namespace ringwright {

// Names the calling thread for debuggers and profilers; cut to what the system takes.
void name_this_thread(const std::string& name);

}  // namespace ringwright
