#pragma once

#include <wiredtiger.h>

#include <atomic>
#include <string>

#include "engine/base/status.h"
#include "plugins/wiredtiger/connection.h"

namespace ringwright {

// Copies what a connection's last checkpoint and log hold into a directory that exists, and syncs
// it. One at a time; no log is removed meanwhile. `copies_files` is set while it is not inside
// WiredTiger.
Status copy_database(Connection& connection, NativeSession& native, const std::string& source,
                     const std::string& target, std::atomic<bool>& copies_files);

}  // namespace ringwright
