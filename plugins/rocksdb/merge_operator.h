#pragma once

#include <rocksdb/merge_operator.h>

#include <memory>

#include "engine/record_policy.h"

namespace ringwright {

// Hands RocksDB's merges to the keyspace's policy: a full merge folds operands into the row, a
// partial merge joins operands among themselves. The two differ (only a row may carry a mark), so
// this is not RocksDB's associative shortcut. Called from readers and from compaction threads.
std::shared_ptr<rocksdb::MergeOperator> make_merge_operator(
    std::shared_ptr<const RecordPolicy> policy);

}  // namespace ringwright
