#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "engine/base/bytes.h"
#include "engine/base/status.h"
#include "engine/write_batch.h"

namespace ringwright {

// The bytes of keys and rows that a call carries, as decorators count them.

inline std::uint64_t bytes_of(const WriteBatch& batch) {
  std::uint64_t bytes = 0;
  for (const auto& operation : batch.operations())
    bytes += operation.key.size() + operation.value.size();
  return bytes;
}

// Rows only; their keys came from the caller.
inline std::uint64_t bytes_of(std::span<const Result<std::optional<Bytes>>> rows) {
  std::uint64_t bytes = 0;
  for (const auto& row : rows)
    if (row.has_value() && row->has_value()) bytes += (*row)->size();
  return bytes;
}

}  // namespace ringwright
