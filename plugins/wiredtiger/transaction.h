#pragma once

#include "engine/storage_engine.h"
#include "plugins/wiredtiger/session_pool.h"

namespace ringwright {

// What one transaction does to the rows. Each answers 0, or WiredTiger's error.

// These leave the transaction open, or after an error undone. `touched`: the last key tried.
int begin_batch(const SessionPool::Lease& lease, const WriteBatch& batch, const Bytes*& touched);
int begin_drop(const SessionPool::Lease& lease, const KeyRange& range);
// After an error it has been undone in memory, whatever the log holds.
int commit(const SessionPool::Lease& lease);

// Whether it met another transaction, or a full cache.
bool may_be_retried(int error);

}  // namespace ringwright
