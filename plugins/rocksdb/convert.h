#pragma once

#include <rocksdb/slice.h>
#include <rocksdb/status.h>

#include <string>
#include <string_view>

#include "engine/base/bytes.h"
#include "engine/base/status.h"

namespace ringwright {

inline rocksdb::Slice to_slice(ByteView bytes) { return {bytes.data(), bytes.size()}; }
inline ByteView to_view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// RocksDB's status in the words of the contract; `what` says what was being done, and to what.
// Incomplete stands for a call that would have had to wait or read; a missing key is the caller's
// to handle, for here it would be an error.
Status to_status(const rocksdb::Status& native, std::string_view what);

// As `to_status`, and `locked` when it is RocksDB's LOCK file that another holder has.
Status to_open_status(const rocksdb::Status& native, const std::string& directory);

}  // namespace ringwright
