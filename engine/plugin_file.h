#pragma once

#include <string>

#include "engine/base/status.h"
#include "engine/plugin_api.h"

namespace ringwright {

// The head of a plugin's manifest, read from the file without running anything of it. Its texts are
// terminated. `invalid`: the file is no shared library for this machine, or has no manifest; the
// message is the end of a sentence about the file.
Result<PluginHead> read_plugin_head(const std::string& path);

}  // namespace ringwright
