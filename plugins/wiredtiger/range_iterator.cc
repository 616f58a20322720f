#include "plugins/wiredtiger/range_iterator.h"

#include <cstring>
#include <utility>

#include "engine/iterators.h"
#include "plugins/wiredtiger/convert.h"

namespace ringwright {
namespace {

using Way = DamagedPlaces::Way;

// Has no transaction, because one that is open at a panic cannot be ended. The snapshot is that of
// the cursor's first step, and stays while the cursor stands.
class RangeIterator final : public Iterator {
 public:
  RangeIterator(std::shared_ptr<Connection> connection, SessionPool::Lease lease,
                const KeyRange& range, Direction direction)
      : connection_(std::move(connection)),
        damage_(connection_->damage()),
        lease_(std::move(lease)),
        rows_(lease_.rows()),
        direction_(direction),
        from_(forward() ? range.start : range.stop),
        bound_(forward() ? range.stop : range.start) {
    const Way way = from_.empty() ? onward() : Way::at;
    if (damage_.leads_there(way, from_))
      refuse();
    else
      settle(position(), way);
  }
  ~RangeIterator() override {
    rows_->reset(rows_);
    take_last_error();
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
  bool forward() const { return direction_ == Direction::forward; }
  Way onward() const { return forward() ? Way::after : Way::before; }

  // To the first row in the direction, which may lie outside the range.
  int position() {
    if (from_.empty()) return move();
    const WT_ITEM item = to_item(from_);
    rows_->set_key(rows_, &item);
    int side = 0;
    const int error = rows_->search_near(rows_, &side);
    if (error != 0) return error;
    const bool short_of_it = forward() ? side < 0 : side >= 0;
    return short_of_it ? move() : 0;
  }

  int move() { return forward() ? rows_->next(rows_) : rows_->prev(rows_); }

  void step() {
    if (connection_->is_retired()) return end_closed();
    // The row that is left is not readable any more when its successor turns out to be damaged.
    // Keys mostly are as long as the one before: then the bytes are all there is to do.
    const ByteView left = key();
    if (from_.size() == left.size())
      std::memcpy(from_.data(), left.data(), left.size());
    else
      from_.assign(left);
    if (damage_.leads_there(onward(), from_)) return refuse();
    settle(move(), onward());
  }

  // Takes the row that a step of this way led to. Inline, because for its two callers it would
  // otherwise be a function with a frame of its own, in each step.
  [[gnu::always_inline]] void settle(int error, Way way) {
    if (error == 0) error = rows_->get_key(rows_, &key_item_);
    if (error == 0) error = rows_->get_value(rows_, &value_item_);
    if (error != 0) return fail(error, way);
    if (is_in_bound(to_view(key_item_)))
      stand_on(to_view(key_item_), to_view(value_item_));
    else
      stand_nowhere();
  }

  bool is_in_bound(ByteView key) const {
    return bound_.empty() || (forward() ? key < ByteView(bound_) : key >= ByteView(bound_));
  }

  // These are no part of a step that succeeds, which is so small that their strings would be felt.
  [[gnu::cold]] void refuse() {
    end({Code::corrupt, "iterate: next to " + printable(from_) + " lies a damaged block"});
  }
  [[gnu::cold]] void end_closed() { end({Code::closed, "engine was closed under its iterator"}); }
  [[gnu::cold]] void fail(int error, Way way) {
    if (error == WT_NOTFOUND) return stand_nowhere();
    end(connection_->to_status(error, "iterate"));
    if (status_.code() == Code::corrupt) damage_.note(way, from_, unseen(way));
  }

  // What lies behind a damaged block is not known: all up to the end of the range is suspect.
  KeyRange unseen(Way way) const {
    if (!forward()) return {bound_, from_};
    return {way == Way::after && !from_.empty() ? from_ + '\0' : from_, bound_};
  }

  void end(Status status) {
    stand_nowhere();
    status_ = std::move(status);
  }

  const std::shared_ptr<Connection> connection_;
  // The connection's, kept here: there it lies beside the count of users, which threads write in
  // turns.
  DamagedPlaces& damage_;
  SessionPool::Lease lease_;
  WT_CURSOR* const rows_;
  const Direction direction_;
  Bytes from_;         // where the last step began: at first where the range does, then a key
  const Bytes bound_;  // where the range ends, in the direction
  // What each step gets. The library fills a part of them, so anew they would have to be cleared.
  WT_ITEM key_item_{};
  WT_ITEM value_item_{};
  Status status_;
};

}  // namespace

std::unique_ptr<Iterator> make_range_iterator(std::shared_ptr<Connection> connection,
                                              SessionPool::Lease lease, const KeyRange& range,
                                              Direction direction) {
  return std::make_unique<RangeIterator>(std::move(connection), std::move(lease), range, direction);
}

}  // namespace ringwright
