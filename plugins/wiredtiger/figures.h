#pragma once

#include <wiredtiger.h>

#include <cstdint>
#include <string>

#include "engine/storage_engine.h"
#include "plugins/wiredtiger/options.h"
#include "plugins/wiredtiger/session_pool.h"

namespace ringwright {

// What WiredTiger tells of itself, read in a session of the caller's.

struct CacheFigures {
  std::uint64_t bytes = 0;
  std::uint64_t dirty_bytes = 0;
};
// What could not be read is 0.
CacheFigures read_cache(WT_SESSION* session);

// 0 up to the targets, 1 at the triggers, where callers are made to evict.
double cache_pressure(const CacheFigures& cache, const WiredtigerOptions& options);

struct Estimate {
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
};
// WiredTiger knows no sizes of ranges. A range of up to `limits::wiredtiger_estimate_rows` rows is
// counted; of a longer one, its share of the whole is that of random rows drawn from the whole.
// Must not be in a transaction; leaves the cursor reset.
Estimate estimate_range(NativeSession& native, const KeyRange& range);

// Of the files in a directory; what is missing in them takes no space.
std::uint64_t directory_bytes(const std::string& directory);

}  // namespace ringwright
