#pragma once

#include "engine/storage_engine.h"
#include "plugins/wiredtiger/session_pool.h"

namespace ringwright {

// What one transaction does to the rows. Each answers 0, or WiredTiger's error.

// These leave the transaction open, or after an error undone. `touched`: the last key tried.
int begin_batch(NativeSession& native, const WriteBatch& batch, const Bytes*& touched);
int begin_drop(NativeSession& native, const KeyRange& range);
// After an error it has been undone in memory, whatever the log holds.
int commit(NativeSession& native);

// Whether it met another transaction, or a full cache.
bool may_be_retried(int error);

}  // namespace ringwright
