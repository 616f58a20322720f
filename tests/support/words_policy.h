#pragma once

#include <algorithm>
#include <set>

#include "engine/record_policy.h"

namespace ringwright {

// Rows are sets of words, one to a line, sorted; merging is their union: commutative, associative,
// idempotent, total.
class WordsPolicy final : public RecordPolicy {
 public:
  Bytes merge(ByteView, std::optional<ByteView> base,
              std::span<const ByteView> operands) const override {
    std::set<Bytes> words;
    if (base) collect(*base, words);
    for (const ByteView operand : operands) collect(operand, words);
    Bytes row;
    for (const Bytes& word : words) row += word + "\n";
    return row;
  }
  Bytes join(ByteView key, std::span<const ByteView> operands) const override {
    return merge(key, std::nullopt, operands);
  }
  bool droppable(ByteView, ByteView, std::uint64_t) const override { return false; }

 private:
  static void collect(ByteView row, std::set<Bytes>& words) {
    while (!row.empty()) {
      const std::size_t end = std::min(row.find('\n'), row.size());
      if (end > 0) words.emplace(row.substr(0, end));
      row.remove_prefix(std::min(end + 1, row.size()));
    }
  }
};

}  // namespace ringwright
