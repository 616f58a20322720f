#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "engine/storage_engine.h"

namespace ringwright {

// Index of a keyspace's engine within its node; the node-wide rows have an engine of their own.
using EngineIndex = std::uint32_t;
constexpr EngineIndex system_engine = UINT32_MAX;
using Ticket = std::uint64_t;

// What a machine asks of an engine. A driver performs one machine's writes of one engine in the
// order asked, one at a time; reads, scans and syncs in any order. It first tries without blocking,
// inline, and hands what would block to an executor.
struct EngineWork {
  enum class Kind : std::uint8_t { read, write, sync, scan };
  Kind kind = Kind::read;
  EngineIndex engine = 0;
  Ticket ticket = 0;
  std::vector<Bytes> keys;     // read
  WriteBatch batch;            // write
  std::uint64_t sequence = 0;  // sync
  KeyRange range;              // scan
  std::size_t limit = 0;       // scan: rows at most
};

struct EngineCompletion {
  Ticket ticket = 0;
  Status status;                                   // write, sync, scan
  std::uint64_t sequence = 0;                      // write
  std::vector<Result<std::optional<Bytes>>> rows;  // read
  std::vector<std::pair<Bytes, Bytes>> scanned;    // scan
};

// Performs one piece of work; `would_block` in the completion (for a read: in any row) says that it
// must be done again with MayBlock::yes.
EngineCompletion perform(StorageEngine& engine, const EngineWork& work, MayBlock may_block);
bool would_block(const EngineCompletion& completion);

}  // namespace ringwright
