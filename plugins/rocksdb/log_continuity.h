#pragma once

#include <rocksdb/wal_filter.h>

#include <cstdint>
#include <optional>
#include <string>

namespace ringwright {

// Keeps what a recovery replays from the logs a prefix of the writes. A disk that lost power may
// have kept the pages of a log that nobody synced in any order. RocksDB takes a piece of zeros for
// room that was set aside, skips it without a word and goes on behind it, also in the next log; the
// numbers that each batch carries show the hole. What follows a hole is left out, until a log goes
// on where the last good batch ended: that is one that was begun after an earlier recovery. A hole
// at the very beginning of what is replayed cannot be seen; `begin_log` makes it durable.
//
// Used by one recovery, in its thread; no exception leaves it.
class LogContinuity final : public rocksdb::WalFilter {
 public:
  const char* Name() const override { return "ringwright.log_continuity"; }
  WalProcessingOption LogRecordFound(unsigned long long log_number,
                                     const std::string& log_file_name,
                                     const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch* new_batch, bool* batch_changed) override;

  std::uint64_t batches_left_out() const { return left_out_; }

 private:
  std::optional<std::uint64_t> next_;  // none before the first batch
  std::uint64_t left_out_ = 0;
};

}  // namespace ringwright
