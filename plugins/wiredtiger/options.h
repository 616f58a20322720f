#pragma once

#include <cstdint>
#include <string>

#include "engine/base/status.h"
#include "engine/base/time.h"
#include "engine/storage_engine.h"

namespace ringwright {

// What WiredTiger is told, and what the engine does itself in its stead.
struct WiredtigerOptions {
  std::string connection;  // for wiredtiger_open
  std::string table;       // for WT_SESSION::create

  // A checkpoint after this long, or when so much was written since the last one; 0: not for that.
  Nanoseconds checkpoint_wait = 0;
  std::uint64_t checkpoint_bytes = 0;

  // In bytes. Above a target WiredTiger's own threads evict, above a trigger its callers must too.
  std::uint64_t cache_target = 0;
  std::uint64_t cache_trigger = 0;
  std::uint64_t dirty_target = 0;
  std::uint64_t dirty_trigger = 0;
};

// Our defaults, then every entry of `wanted`, which WiredTiger's own parser checks. A plain name is
// one of wiredtiger_open, `table.<name>` one of the table, `log.<name>` one of the log. A number
// with B, KiB, MiB, GiB or TiB is a size in bytes; everything else is as WiredTiger writes it.
// `invalid` names the option: an unknown one with its nearest known name, one whose value
// WiredTiger refuses, and one that would break the engine's contract.
Result<WiredtigerOptions> make_wiredtiger_options(const EngineOptions& wanted,
                                                  Durability durability);

}  // namespace ringwright
