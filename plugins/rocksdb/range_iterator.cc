#include "plugins/rocksdb/range_iterator.h"

#include <utility>

#include <rocksdb/iterator.h>

#include "plugins/rocksdb/convert.h"

namespace ringwright {
namespace {

class RangeIterator final : public Iterator {
 public:
  RangeIterator(std::shared_ptr<RocksdbEngine::Instance> instance, const KeyRange& range)
      : instance_(std::move(instance)), stop_(range.stop), stop_slice_(to_slice(stop_)) {
    rocksdb::ReadOptions options;
    if (!stop_.empty()) options.iterate_upper_bound = &stop_slice_;
    options.total_order_seek = true;  // whatever prefix extractor the options name
    // Scans are repair and hand-off: they must not push the keys that clients read out of cache.
    options.fill_cache = false;
    options.background_purge_on_iterator_cleanup = true;
    cursor_.reset(instance_->db->NewIterator(options));
    cursor_->Seek(to_slice(range.start));
  }

  bool valid() const override { return !closed() && cursor_->Valid(); }
  void next() override {
    if (!valid()) return;
    try {
      cursor_->Next();
    } catch (...) {
      failed_ = true;
    }
  }
  ByteView key() const override { return to_view(cursor_->key()); }
  ByteView value() const override { return to_view(cursor_->value()); }
  Status status() const override {
    if (failed_) return {Code::io_error, "iterate: out of memory"};
    if (closed()) return {Code::closed, "engine was closed under its iterator"};
    return to_status(cursor_->status(), "iterate");
  }

 private:
  bool closed() const { return failed_ || instance_->closed.load(std::memory_order_relaxed); }

  // Destroyed last: the cursor needs its database, and refers to the stop key.
  std::shared_ptr<RocksdbEngine::Instance> instance_;
  const Bytes stop_;
  const rocksdb::Slice stop_slice_;
  std::unique_ptr<rocksdb::Iterator> cursor_;
  bool failed_ = false;
};

class FailedIterator final : public Iterator {
 public:
  explicit FailedIterator(Status status) : status_(std::move(status)) {}

  bool valid() const override { return false; }
  void next() override {}
  ByteView key() const override { return {}; }
  ByteView value() const override { return {}; }
  Status status() const override { return status_; }

 private:
  const Status status_;
};

}  // namespace

std::unique_ptr<Iterator> make_range_iterator(std::shared_ptr<RocksdbEngine::Instance> instance,
                                              const KeyRange& range) {
  // An upper bound below the start is a range without keys, not an error.
  if (!range.stop.empty() && range.start >= range.stop) return make_failed_iterator(ok_status());
  return std::make_unique<RangeIterator>(std::move(instance), range);
}

std::unique_ptr<Iterator> make_failed_iterator(Status status) {
  return std::make_unique<FailedIterator>(std::move(status));
}

}  // namespace ringwright
