#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "engine/base/bytes.h"

namespace ringwright {

// A group of writes that one engine applies atomically and in this order.
class WriteBatch {
 public:
  enum class Kind : std::uint8_t { put = 0, remove = 1, merge = 2 };
  struct Operation {
    Kind kind;
    Bytes key;
    Bytes value;  // of a put: the row; of a merge: the operand; of a remove: empty
  };

  void put(Bytes key, Bytes row) { add(Kind::put, std::move(key), std::move(row)); }
  void remove(Bytes key) { add(Kind::remove, std::move(key), {}); }
  // Only for an engine with the capability `merge`, and only an operand whose bytes were checked.
  void merge(Bytes key, Bytes operand) { add(Kind::merge, std::move(key), std::move(operand)); }

  const std::vector<Operation>& operations() const { return operations_; }
  bool empty() const { return operations_.empty(); }
  std::size_t size() const { return operations_.size(); }
  void clear() { operations_.clear(); }
  void reserve(std::size_t operations) { operations_.reserve(operations); }

 private:
  void add(Kind kind, Bytes key, Bytes value) {
    operations_.push_back({kind, std::move(key), std::move(value)});
  }

  std::vector<Operation> operations_;
};

}  // namespace ringwright
