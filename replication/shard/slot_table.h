#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "engine/base/check.h"

namespace ringwright {

// What is in flight, under names that the table gives: the number of a slot, and above it how often
// that slot was used. A name that has ended finds nothing, also after its slot was given away
// again; a new entry takes the slot that was freed last and allocates nothing of its own.
//
// Names are above zero, below 2^id_bits, and the same after the same additions and removals. An
// entry stays where it is as long as it is in the table.
template <typename T>
class SlotTable {
 public:
  using Id = std::uint64_t;
  static constexpr int id_bits = 56;

  // `first_use`: where the count of uses begins in every slot, so that names can differ from those
  // of a table before it.
  explicit SlotTable(std::uint64_t first_use = 0) : first_use_(first_use) {}

  template <typename... Arguments>
  Id add(Arguments&&... of_value) {
    if (free_.empty()) add_slots();
    const std::uint32_t at = free_.back();
    free_.pop_back();
    Slot& slot = slot_at(at);
    slot.uses = (slot.uses + 1) & uses_mask;
    slot.value.emplace(std::forward<Arguments>(of_value)...);
    return slot.uses << slot_bits | (at + 1);
  }

  // Null when there is no such entry, or no more.
  T* find(Id id) {
    const std::uint64_t at = (id & slot_mask) - 1;
    if (at >= slot_count_) return nullptr;
    Slot& slot = slot_at(at);
    return slot.value && slot.uses == id >> slot_bits ? &*slot.value : nullptr;
  }
  T& at(Id id) {
    T* const found = find(id);
    RW_CHECK(found != nullptr);
    return *found;
  }

  // Of an entry that is there.
  void erase(Id id) {
    RW_CHECK(find(id) != nullptr);
    const auto at = static_cast<std::uint32_t>((id & slot_mask) - 1);
    slot_at(at).value.reset();
    free_.push_back(at);
  }

  std::size_t size() const { return slot_count_ - free_.size(); }

 private:
  struct Slot {
    std::uint64_t uses = 0;
    std::optional<T> value;
  };
  static constexpr int slot_bits = 20;
  static constexpr std::uint64_t slot_mask = (std::uint64_t{1} << slot_bits) - 1;
  static constexpr std::uint64_t uses_mask = (std::uint64_t{1} << (id_bits - slot_bits)) - 1;
  static constexpr std::size_t slots_max = slot_mask;  // the number 0 names none
  // Slots come in blocks, so that they stay where they are and are found by a shift.
  static constexpr int block_bits = 4;
  static constexpr std::size_t block_slots = std::size_t{1} << block_bits;

  Slot& slot_at(std::uint64_t at) { return blocks_[at >> block_bits][at & (block_slots - 1)]; }

  void add_slots() {
    const std::size_t added = std::min(block_slots, slots_max - slot_count_);
    RW_CHECK(added > 0);
    blocks_.push_back(std::make_unique<Slot[]>(block_slots));
    slot_count_ += added;
    // The lowest is taken first.
    for (std::size_t i = 0; i < added; ++i) {
      const std::size_t at = slot_count_ - 1 - i;
      slot_at(at).uses = first_use_;
      free_.push_back(static_cast<std::uint32_t>(at));
    }
  }

  std::uint64_t first_use_;
  std::vector<std::unique_ptr<Slot[]>> blocks_;
  std::size_t slot_count_ = 0;
  std::vector<std::uint32_t> free_;
};

}  // namespace ringwright
