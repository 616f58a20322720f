#pragma once

#include <wiredtiger.h>

#include <string>

#include "engine/base/status.h"
#include "plugins/wiredtiger/instance.h"

namespace ringwright {

// Copies what a connection's last checkpoint and log hold into a directory that exists, and syncs
// it. One at a time; no log is removed meanwhile.
Status copy_database(Instance& instance, const std::string& source, const std::string& target);

}  // namespace ringwright
