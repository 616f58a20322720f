#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/disk.h"

namespace ringwright {

// Says in the file `ENGINE` which engine's directory this is, so that no other engine takes it for
// its own. Creates the directory where there is none; call it with the directory's lock held and
// before any other file is made. `mismatch`: another engine's, a newer format's, or a directory
// that holds files and no `ENGINE`. An older format of the same engine is accepted and raised to
// `format_version`.
//
// The file is text, three lines:  ringwright-engine 1 / engine <name> / format <number>
Status claim_engine_directory(Disk& disk, const std::string& path, std::string_view engine_name,
                              std::uint32_t format_version);

}  // namespace ringwright
