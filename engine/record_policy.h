#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "engine/base/bytes.h"

namespace ringwright {

// What an engine must know of the rows it keeps, given to it at open. Every function is pure and
// total: any bytes are accepted, none is lost, there is no error result. Called from any thread,
// compaction threads included.
class RecordPolicy {
 public:
  virtual ~RecordPolicy() = default;

  // The row that `base` becomes when `operands` (peers' records, oldest first) are merged into it.
  // Without a base the row starts from the operands alone.
  virtual Bytes merge(ByteView key, std::optional<ByteView> base,
                      std::span<const ByteView> operands) const = 0;

  // One operand that stands for all of `operands`: merging it equals merging them one by one.
  virtual Bytes join(ByteView key, std::span<const ByteView> operands) const = 0;

  // Whether a full row (never an operand) may vanish below the watermark `horizon`.
  virtual bool droppable(ByteView key, ByteView row, std::uint64_t horizon) const = 0;

  // `merge` of one operand that has just been checked by its writer, as WriteBatch::merge asks: it
  // need not be proved whole again.
  virtual Bytes merge_checked(ByteView key, std::optional<ByteView> base, ByteView operand) const {
    return merge(key, base, {&operand, 1});
  }
};

}  // namespace ringwright
