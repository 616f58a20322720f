#pragma once

#include <memory>

#include "engine/storage_engine.h"
#include "plugins/wiredtiger/connection.h"

namespace ringwright {

// Stands on the first key in its direction. Holds the connection of `lease`, so that it stays safe
// after `close`: its row stays readable, and the next step ends with `closed`. Also holds a session
// with a snapshot: as long as it lives, WiredTiger keeps every row that it may still see, so it
// should not live long beside many writes.
std::unique_ptr<Iterator> make_range_iterator(std::shared_ptr<Connection> connection,
                                              SessionPool::Lease lease, const KeyRange& range,
                                              Direction direction);

}  // namespace ringwright
