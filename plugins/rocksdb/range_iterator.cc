#include "plugins/rocksdb/range_iterator.h"

#include <rocksdb/iterator.h>
#include <rocksdb/snapshot.h>

#include <string>
#include <utility>

#include "engine/iterators.h"
#include "plugins/rocksdb/convert.h"

namespace ringwright {
namespace {

// RocksDB 7.8.3 loses errors on the way from table to table: where it heeds dropped ranges, a table
// that cannot be opened, or whose nearest block is damaged, ends its level without a word, and the
// rows of that level are missing from there on. An iterator that does not heed them tells. So that
// is the one that leads. Where ranges may have been dropped, another that heeds them goes along,
// and whatever it does not show is looked up.
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
    if (!stop_.empty()) options_.iterate_upper_bound = &stop_slice_;
    if (!start_.empty()) options_.iterate_lower_bound = &start_slice_;
    options_.total_order_seek = true;  // whatever prefix extractor the options name
    // Scans are repair and hand-off: they must not push the keys that clients read out of cache.
    options_.fill_cache = false;
    options_.background_purge_on_iterator_cleanup = true;
    cursor_ = make_cursor(true);
    // Whoever drops a range says so first: what it drops this cursor has not seen.
    if (instance_->may_have_dropped_ranges.load()) heed_dropped_ranges();
    settle();
  }
  ~RangeIterator() override {
    if (options_.snapshot != nullptr) instance_->db->ReleaseSnapshot(options_.snapshot);
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
  std::unique_ptr<rocksdb::Iterator> make_cursor(bool ignores_dropped_ranges) {
    options_.ignore_range_deletions = ignores_dropped_ranges;
    std::unique_ptr<rocksdb::Iterator> cursor(instance_->db->NewIterator(options_));
    if (direction_ == Direction::forward)
      cursor->Seek(start_slice_);
    else
      cursor->SeekToLast();  // within the bounds
    return cursor;
  }

  void heed_dropped_ranges() {
    options_.snapshot = instance_->db->GetSnapshot();
    cursor_ = make_cursor(true);
    kept_ = make_cursor(false);  // and so does `options_` from here on
  }

  void move(rocksdb::Iterator& cursor) const {
    if (direction_ == Direction::forward)
      cursor.Next();
    else
      cursor.Prev();
  }

  void step() {
    if (instance_->closed.load(std::memory_order_relaxed))
      return end({Code::closed, "engine was closed under its iterator"});
    if (kept_ && keeps(cursor_->key())) move(*kept_);
    move(*cursor_);
    settle();
  }

  void settle() {
    if (kept_) return settle_on_kept();
    if (cursor_->Valid()) return stand_on(to_view(cursor_->key()), to_view(cursor_->value()));
    end_as(cursor_->status());
  }

  void settle_on_kept() {
    for (; cursor_->Valid(); move(*cursor_)) {
      const rocksdb::Slice key = cursor_->key();
      if (keeps(key)) return stand_on(to_view(key), to_view(kept_->value()));
      const rocksdb::Status found =
          instance_->db->Get(options_, instance_->db->DefaultColumnFamily(), key, &value_);
      if (found.ok()) return stand_on(to_view(key), value_);
      if (!found.IsNotFound()) return end_as(found);
    }
    end_as(cursor_->status());
  }

  bool keeps(const rocksdb::Slice& key) const { return kept_->Valid() && kept_->key() == key; }

  void end_as(const rocksdb::Status& native) {
    if (native.IsCorruption()) instance_->note_damage(native, {});
    // A table that it had to open again is gone: the instance that came after has no use for it.
    if (native.IsPathNotFound() && instance_->left_behind.load())
      return end({Code::busy, "iterate: the database was opened anew: begin again"});
    end(to_status(native, "iterate"));
  }

  void end(Status status) {
    stand_nowhere();
    status_ = std::move(status);
  }

  // Destroyed last: the cursors need their database, and refer to the bounds.
  std::shared_ptr<RocksdbEngine::Instance> instance_;
  const Bytes start_;
  const Bytes stop_;
  const rocksdb::Slice start_slice_;
  const rocksdb::Slice stop_slice_;
  const Direction direction_;
  rocksdb::ReadOptions options_;
  std::unique_ptr<rocksdb::Iterator> cursor_;  // shows rows of dropped ranges too
  // Shows none of these, and perhaps not all others; always at or beyond `cursor_`. None where no
  // range was dropped.
  std::unique_ptr<rocksdb::Iterator> kept_;
  std::string value_;  // of a row that `kept_` does not show
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
