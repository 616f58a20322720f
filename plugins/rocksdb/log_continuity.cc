#include "plugins/rocksdb/log_continuity.h"

#include <rocksdb/write_batch.h>

#include "engine/base/coding.h"

namespace ringwright {

rocksdb::WalFilter::WalProcessingOption LogContinuity::LogRecordFound(
    unsigned long long, const std::string&, const rocksdb::WriteBatch& batch, rocksdb::WriteBatch*,
    bool*) {
  // A batch begins with the number of its first operation; each operation takes one.
  Decoder decoder(batch.Data());
  const std::uint64_t first = decoder.u64();
  if (decoder.failed()) return WalProcessingOption::kCorruptedRecord;
  if (next_ && first != *next_) {
    ++left_out_;
    return WalProcessingOption::kIgnoreCurrentRecord;
  }
  next_ = first + static_cast<std::uint64_t>(batch.Count());
  return WalProcessingOption::kContinueProcessing;
}

}  // namespace ringwright
