#pragma once

#include <memory>

#include "engine/storage_engine.h"
#include "plugins/rocksdb/rocksdb_engine.h"

namespace ringwright {

// Stands on the first key in its direction. Holds the instance, so that it stays safe after
// `close`: its row stays readable, and the next step ends with `closed`.
std::unique_ptr<Iterator> make_range_iterator(std::shared_ptr<RocksdbEngine::Instance> instance,
                                              const KeyRange& range, Direction direction);

}  // namespace ringwright
