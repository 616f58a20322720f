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
        range_(range),
        direction_(direction) {
    const Bytes& from = this->from();
    const Way way = from.empty() ? onward() : Way::at;
    if (refuses(way, from)) return;
    settle(position(from), way, from);
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
  const Bytes& from() const { return forward() ? range_.start : range_.stop; }
  Way onward() const { return forward() ? Way::after : Way::before; }

  // To the first row in the direction, which may lie outside the range.
  int position(const Bytes& from) {
    if (from.empty()) return move();
    const WT_ITEM item = to_item(from);
    rows_->set_key(rows_, &item);
    int side = 0;
    const int error = rows_->search_near(rows_, &side);
    if (error != 0) return error;
    const bool short_of_it = forward() ? side < 0 : side >= 0;
    return short_of_it ? move() : 0;
  }

  int move() { return forward() ? rows_->next(rows_) : rows_->prev(rows_); }

  void step() {
    if (connection_->is_retired())
      return end({Code::closed, "engine was closed under its iterator"});
    // The row that was left is not readable any more when its successor turns out to be damaged.
    // Keys mostly are as long as the one before: then the bytes are all there is to do.
    if (left_.size() == key().size())
      std::memcpy(left_.data(), key().data(), key().size());
    else
      left_.assign(key());
    if (refuses(onward(), left_)) return;
    settle(move(), onward(), left_);
  }

  bool refuses(Way way, const Bytes& key) {
    if (!damage_.leads_there(way, key)) return false;
    end({Code::corrupt, "iterate: next to " + printable(key) + " lies a damaged block"});
    return true;
  }

  // Takes the row that a step of this way from this key led to.
  void settle(int error, Way way, const Bytes& key) {
    if (error == WT_NOTFOUND) return stand_nowhere();
    WT_ITEM key_item{};
    WT_ITEM value_item{};
    if (error == 0) error = rows_->get_key(rows_, &key_item);
    if (error == 0) error = rows_->get_value(rows_, &value_item);
    if (error != 0) return fail(error, way, key);
    if (is_in_range(to_view(key_item)))
      stand_on(to_view(key_item), to_view(value_item));
    else
      stand_nowhere();
  }

  bool is_in_range(ByteView key) const {
    return forward() ? range_.stop.empty() || key < ByteView(range_.stop)
                     : key >= ByteView(range_.start);
  }

  // What lies behind a damaged block is not known: all up to the end of the range is suspect.
  void fail(int error, Way way, const Bytes& key) {
    end(connection_->to_status(error, "iterate"));
    if (status_.code() != Code::corrupt) return;
    KeyRange suspect = range_;
    if (way == Way::after && !key.empty()) suspect.start = key + '\0';
    if (way == Way::before && !key.empty()) suspect.stop = key;
    damage_.note(way, key, std::move(suspect));
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
  const KeyRange range_;
  const Direction direction_;
  Bytes left_;
  Status status_;
};

}  // namespace

std::unique_ptr<Iterator> make_range_iterator(std::shared_ptr<Connection> connection,
                                              SessionPool::Lease lease, const KeyRange& range,
                                              Direction direction) {
  return std::make_unique<RangeIterator>(std::move(connection), std::move(lease), range, direction);
}

}  // namespace ringwright
