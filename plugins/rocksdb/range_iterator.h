#pragma once

#include <memory>

#include "engine/storage_engine.h"
#include "plugins/rocksdb/rocksdb_engine.h"

namespace ringwright {

// Stands on the first key of the range. Holds the instance, so that it stays safe after `close`.
std::unique_ptr<Iterator> make_range_iterator(std::shared_ptr<RocksdbEngine::Instance> instance,
                                              const KeyRange& range);

// Never valid, with this status.
std::unique_ptr<Iterator> make_failed_iterator(Status status);

}  // namespace ringwright
