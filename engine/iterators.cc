#include "engine/iterators.h"

#include "engine/base/check.h"

namespace ringwright {
namespace {

class RowsIterator final : public Iterator {
 public:
  RowsIterator(std::vector<std::pair<Bytes, Bytes>> rows, Status status)
      : rows_(std::move(rows)), status_(std::move(status)) {
    stand();
  }
  void next() override {
    RW_CHECK(valid());
    ++at_;
    stand();
  }
  Status status() const override { return valid() ? ok_status() : status_; }

 private:
  void stand() {
    if (at_ < rows_.size())
      stand_on(rows_[at_].first, rows_[at_].second);
    else
      stand_nowhere();
  }

  const std::vector<std::pair<Bytes, Bytes>> rows_;
  const Status status_;
  std::size_t at_ = 0;
};

}  // namespace

std::unique_ptr<Iterator> make_empty_iterator(Status status) {
  return make_rows_iterator({}, std::move(status));
}

std::unique_ptr<Iterator> make_rows_iterator(std::vector<std::pair<Bytes, Bytes>> rows,
                                             Status status) {
  return std::make_unique<RowsIterator>(std::move(rows), std::move(status));
}

}  // namespace ringwright
