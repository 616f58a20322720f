#include "plugins/rocksdb/range_iterator.h"

#include <rocksdb/iterator.h>

#include <utility>

#include "engine/iterators.h"
#include "plugins/rocksdb/convert.h"

namespace ringwright {
namespace {

class RangeIterator final : public Iterator {
 public:
  RangeIterator(std::shared_ptr<RocksdbEngine::Instance> instance, const KeyRange& range,
                Direction direction)
      : instance_(std::move(instance)),
        start_(range.start),
        stop_(range.stop),
        start_slice_(to_slice(start_)),
        stop_slice_(to_slice(stop_)),
        direction_(direction) {
    rocksdb::ReadOptions options;
    if (!stop_.empty()) options.iterate_upper_bound = &stop_slice_;
    if (!start_.empty()) options.iterate_lower_bound = &start_slice_;
    options.total_order_seek = true;  // whatever prefix extractor the options name
    // Scans are repair and hand-off: they must not push the keys that clients read out of cache.
    options.fill_cache = false;
    options.background_purge_on_iterator_cleanup = true;
    cursor_.reset(instance_->db->NewIterator(options));
    if (direction_ == Direction::forward)
      cursor_->Seek(start_slice_);
    else
      cursor_->SeekToLast();  // within the bounds
    settle();
  }

  void next() override {
    if (!valid()) return;
    try {
      step();
    } catch (...) {
      end({Code::io_error, "iterate: out of memory"});
    }
  }
  Status status() const override { return status_; }

 private:
  void step() {
    if (instance_->closed.load(std::memory_order_relaxed))
      return end({Code::closed, "engine was closed under its iterator"});
    if (direction_ == Direction::forward)
      cursor_->Next();
    else
      cursor_->Prev();
    settle();
  }

  void settle() {
    if (cursor_->Valid()) return stand_on(to_view(cursor_->key()), to_view(cursor_->value()));
    const rocksdb::Status native = cursor_->status();
    end(to_status(native, "iterate"));
    if (native.IsCorruption()) instance_->note_damage(native, {});
  }

  void end(Status status) {
    stand_nowhere();
    status_ = std::move(status);
  }

  // Destroyed last: the cursor needs its database, and refers to the bounds.
  std::shared_ptr<RocksdbEngine::Instance> instance_;
  const Bytes start_;
  const Bytes stop_;
  const rocksdb::Slice start_slice_;
  const rocksdb::Slice stop_slice_;
  const Direction direction_;
  std::unique_ptr<rocksdb::Iterator> cursor_;
  Status status_;
};

}  // namespace

std::unique_ptr<Iterator> make_range_iterator(std::shared_ptr<RocksdbEngine::Instance> instance,
                                              const KeyRange& range, Direction direction) {
  // An upper bound below the start is a range without keys, not an error.
  if (range.is_nothing()) return make_empty_iterator(ok_status());
  return std::make_unique<RangeIterator>(std::move(instance), range, direction);
}

}  // namespace ringwright
