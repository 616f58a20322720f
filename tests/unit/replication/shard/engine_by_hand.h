#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "replication/shard/replica_store.h"
#include "replication/version/row.h"

namespace ringwright::test {

inline const Status busy{Code::busy, "later"};
inline const Status doubt{Code::in_doubt, "who knows"};
inline const Status io_error{Code::io_error, "the disk failed"};

// Rows in a map. A test decides when each piece of work takes effect and what is answered.
class EngineByHand {
 public:
  explicit EngineByHand(RecordKind kind) : policy_(kind) {}

  EngineCompletion perform(const EngineWork& work) {
    EngineCompletion completion;
    completion.ticket = work.ticket;
    switch (work.kind) {
      case EngineWork::Kind::read:
        for (const Bytes& key : work.keys) completion.rows.push_back(row(key));
        break;
      case EngineWork::Kind::write:
        apply(work.batch);
        completion.sequence = ++sequence_;
        break;
      case EngineWork::Kind::sync:
        break;
      case EngineWork::Kind::scan:
        for (auto at = rows.lower_bound(work.range.start);
             at != rows.end() && completion.scanned.size() < work.limit &&
             (work.range.stop.empty() || at->first < work.range.stop);
             ++at)
          completion.scanned.push_back(*at);
        break;
    }
    return completion;
  }

  static EngineCompletion fail(const EngineWork& work, const Status& status) {
    EngineCompletion completion;
    completion.ticket = work.ticket;
    completion.status = status;
    return completion;
  }

  std::map<Bytes, Bytes> rows;
  std::map<Bytes, Status> unreadable;

 private:
  Result<std::optional<Bytes>> row(const Bytes& key) const {
    if (const auto error = unreadable.find(key); error != unreadable.end()) return error->second;
    const auto at = rows.find(key);
    if (at == rows.end()) return std::optional<Bytes>();
    return std::optional<Bytes>(at->second);
  }

  void apply(const WriteBatch& batch) {
    for (const auto& operation : batch.operations()) {
      if (operation.kind == WriteBatch::Kind::remove) {
        rows.erase(operation.key);
      } else if (operation.kind == WriteBatch::Kind::put) {
        rows[operation.key] = operation.value;
      } else {
        const auto at = rows.find(operation.key);
        const ByteView operands[] = {operation.value};
        const auto base = at == rows.end() ? std::nullopt : std::optional<ByteView>(at->second);
        rows[operation.key] = policy_.merge(operation.key, base, operands);
      }
    }
  }

  RowPolicy policy_;
  std::uint64_t sequence_ = 0;
};

}  // namespace ringwright::test
