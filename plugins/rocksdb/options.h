#pragma once

#include <rocksdb/merge_operator.h>
#include <rocksdb/options.h>

#include <memory>

#include "engine/base/status.h"
#include "engine/storage_engine.h"

namespace ringwright {

// RocksDB's options: our defaults, then every entry of `wanted` through RocksDB's own parsers.
// A plain name is an option of the database or of its column family, `table.<name>` one of the
// block-based table, `block_cache_size` the capacity of the LRU block cache. A value that is a
// number with B, KiB, MiB, GiB or TiB is a size in bytes; everything else is as RocksDB writes it.
// `invalid` names the option: an unknown one with its nearest known name, one whose value RocksDB
// refuses, and one that would break the engine's contract.
Result<rocksdb::Options> make_rocksdb_options(
    const EngineOptions& wanted, std::shared_ptr<rocksdb::MergeOperator> merge_operator);

}  // namespace ringwright
