#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/disk.h"
#include "engine/base/executor.h"
#include "engine/base/status.h"
#include "engine/record_policy.h"
#include "engine/write_batch.h"

namespace ringwright {

// What an acknowledged write survives. none: nothing until flushed. os: the death of the process.
// disk: a loss of power, because it was synced first.
enum class Durability : std::uint8_t { none = 0, os = 1, disk = 2 };
std::string_view durability_name(Durability durability);
Result<Durability> parse_durability(std::string_view name);

enum class MayBlock : bool { no = false, yes = true };

struct Capabilities {
  bool merge = false;         // takes WriteBatch::merge and folds with the RecordPolicy
  bool non_blocking = false;  // does something useful when called with MayBlock::no
  Durability durability = Durability::none;  // the strongest class this instance can give
  bool folds_at_once = false;  // with `merge`: in `write` itself, so that no operands gather
};

using EngineOptions = std::map<std::string, std::string, std::less<>>;

struct EngineContext {
  std::string path;  // on `disk`; the engine's own directory, which it creates
  EngineOptions
      options;  // as written in the config; an unknown one is `invalid`, naming the nearest
  Durability durability = Durability::os;  // the class that `write` and `sync` must give
  std::shared_ptr<const RecordPolicy> policy;
  std::shared_ptr<Disk> disk;
};

// [start, stop) in byte order; an empty stop means to the end.
struct KeyRange {
  Bytes start;
  Bytes stop;

  // No key can lie in it.
  bool is_nothing() const { return !stop.empty() && start >= stop; }
  friend bool operator==(const KeyRange&, const KeyRange&) = default;
};

// The order of an iteration: ascending keys, or descending ones.
enum class Direction : bool { forward = false, reverse = true };

struct EngineStats {
  std::uint64_t approximate_keys = 0;
  std::uint64_t disk_bytes = 0;
  std::uint64_t memory_bytes = 0;
  // Where rows answered `corrupt` since the open: whatever else lies in these ranges may be
  // unreadable too. Sorted, disjoint, at most limits::damaged_ranges_max.
  std::vector<KeyRange> damaged;
};

// Ordered cursor over one snapshot; it stands on the first row in its direction when it is made.
// Where it stands changes in `next` alone: until then key and value are valid, and what befalls the
// engine meanwhile shows there. It is kept here, so that to look at a row costs no virtual call.
class Iterator {
 public:
  virtual ~Iterator() = default;
  Iterator(const Iterator&) = delete;
  Iterator& operator=(const Iterator&) = delete;

  bool valid() const { return on_row_; }  // false at the end and after an error: ask `status`
  ByteView key() const { return key_; }   // of the row that it stands on
  ByteView value() const { return value_; }
  virtual void next() = 0;
  virtual Status status() const = 0;

 protected:
  Iterator() = default;

  // An implementation calls one of these when it is made (else it stands nowhere) and in every
  // `next`. The bytes must stay as they are until the next such call.
  void stand_on(ByteView key, ByteView value) {
    key_ = key;
    value_ = value;
    on_row_ = true;
  }
  void stand_nowhere() {
    key_ = value_ = {};
    on_row_ = false;
  }

 private:
  ByteView key_;
  ByteView value_;
  bool on_row_ = false;
};

// An ordered map of bytes on one node.
//
// Threads: every method may be called from several threads at once, except that `open` comes first,
// `close` last, and the caller issues `write`s of one key in the order it wants.
// Ownership: what a method returns is the caller's; arguments are borrowed for the call.
// Absence is `std::nullopt`, never an error; an I/O error or damage is never absence.
// Errors: `busy`, `no_space`, `would_block` of a write: certainly nothing happened. `in_doubt`: it
// may or may not have, and nobody will know before the next open. `corrupt` names the key or file.
// No exception leaves a method.
// After a crash an instance holds a prefix of its write order that reaches at least the last sync.
class StorageEngine {
 public:
  static constexpr std::string_view kind = "engine";
  virtual ~StorageEngine() = default;

  virtual std::string_view name() const = 0;
  // Valid after `open`.
  virtual Capabilities capabilities() const = 0;

  // `locked`: another instance has the directory. `mismatch`: written by another engine or a newer
  // format. `invalid`: an unknown option, or a durability class above what this engine has.
  virtual Status open(const EngineContext& context) = 0;

  // One result for each key, in order. With MayBlock::no a key whose answer needs I/O gets
  // `would_block`; the others are answered.
  virtual std::vector<Result<std::optional<Bytes>>> multi_get(std::span<const Bytes> keys,
                                                              MayBlock may_block) = 0;

  // Atomic; visible to every later call when it returns. The sequence grows with each write and
  // is what `sync` takes.
  virtual Result<std::uint64_t> write(const WriteBatch& batch, MayBlock may_block) = 0;

  // Makes every write up to `sequence` as durable as the instance's class demands. For `none` and
  // `os` that is so at once. After a failure other than `no_space` every later sync and write
  // fails: reopen.
  virtual Status sync(std::uint64_t sequence, MayBlock may_block) = 0;

  // May block. Writes that come later are not seen and not held up. The iterator must not outlive
  // the engine's `close`.
  virtual std::unique_ptr<Iterator> iterate(const KeyRange& range, Direction direction) = 0;

  // Ordered among the writes, and as durable when it returns as the instance's class demands: it
  // has no sequence to sync later.
  virtual Status drop_range(const KeyRange& range) = 0;
  // Moves what is only in memory or in a log to where it rests.
  virtual Status flush() = 0;
  // A consistent copy under another directory of the same disk.
  virtual Status checkpoint(const std::string& path) = 0;
  virtual std::uint64_t approximate_bytes(const KeyRange& range) = 0;
  // 0: at ease; 1: the next write may stall.
  virtual double pressure() = 0;
  virtual EngineStats stats() = 0;
  // Final and idempotent; later calls answer `closed`. Not a flush: what `durability` promised is
  // kept, no more.
  virtual Status close() = 0;

  // The engine that a decorator wraps; null for an engine proper.
  virtual StorageEngine* inner() { return nullptr; }
};

}  // namespace ringwright
