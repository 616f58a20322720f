#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace ringwright {

// Finds small values (a position, an iterator) by a 64-bit hash: open addressing in one array, so
// that a look-up is one step in memory and an insertion allocates nothing. Different things may
// share a hash: which of them is meant, a predicate over the values says. It cannot be iterated, so
// nothing can come to depend on where an entry happens to lie.
template <typename Value>
class HashIndex {
 public:
  std::size_t size() const { return size_; }

  // The value under this hash for which `is_meant` holds, or null. Valid until the next change.
  template <typename Predicate>
  Value* find(std::uint64_t hash, const Predicate& is_meant) {
    const std::size_t at = position(hash, is_meant);
    return at == none ? nullptr : &entries_[at].value;
  }

  // Begins to bring what `find` will read; it changes nothing and waits for nothing.
  void prefetch(std::uint64_t hash) const {
    if (size_ > 0) __builtin_prefetch(&entries_[hash & mask()]);
  }

  // Not for what is there already.
  void insert(std::uint64_t hash, Value value) {
    if ((size_ + 1) * 4 > entries_.size() * 3) grow();
    place({hash | used, std::move(value)});
    ++size_;
  }

  template <typename Predicate>
  bool erase(std::uint64_t hash, const Predicate& is_meant) {
    std::size_t hole = position(hash, is_meant);
    if (hole == none) return false;
    // Whatever stands behind the hole and would be looked for from before it moves up.
    for (std::size_t at = next(hole); entries_[at].hash != 0; at = next(at)) {
      const std::size_t home = entries_[at].hash & mask();
      if (((at - home) & mask()) < ((at - hole) & mask())) continue;
      entries_[hole] = std::move(entries_[at]);
      hole = at;
    }
    entries_[hole] = Entry{};
    --size_;
    return true;
  }

  void clear() {
    entries_ = {};
    size_ = 0;
  }

 private:
  struct Entry {
    std::uint64_t hash = 0;  // with its top bit set; 0: a free entry
    Value value{};
  };
  static constexpr std::uint64_t used = std::uint64_t{1} << 63;
  static constexpr std::size_t none = SIZE_MAX;
  static constexpr std::size_t entries_min = 16;

  std::size_t mask() const { return entries_.size() - 1; }
  std::size_t next(std::size_t at) const { return (at + 1) & mask(); }

  template <typename Predicate>
  std::size_t position(std::uint64_t hash, const Predicate& is_meant) const {
    if (size_ == 0) return none;
    for (std::size_t at = hash & mask(); entries_[at].hash != 0; at = next(at))
      if (entries_[at].hash == (hash | used) && is_meant(entries_[at].value)) return at;
    return none;
  }

  void place(Entry entry) {
    std::size_t at = entry.hash & mask();
    while (entries_[at].hash != 0) at = next(at);
    entries_[at] = std::move(entry);
  }

  void grow() {
    std::vector<Entry> old(entries_.empty() ? entries_min : entries_.size() * 2);
    old.swap(entries_);
    for (Entry& entry : old)
      if (entry.hash != 0) place(std::move(entry));
  }

  std::vector<Entry> entries_;  // a power of two, at most three quarters of them used
  std::size_t size_ = 0;
};

}  // namespace ringwright
