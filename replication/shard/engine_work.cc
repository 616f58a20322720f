#include "replication/shard/engine_work.h"

#include <algorithm>

namespace ringwright {
namespace {

void scan(StorageEngine& engine, const EngineWork& work, EngineCompletion& completion) {
  const auto iterator = engine.iterate(work.range, Direction::forward);
  for (; iterator->valid() && completion.scanned.size() < work.limit; iterator->next())
    completion.scanned.emplace_back(iterator->key(), iterator->value());
  completion.status = iterator->status();
}

}  // namespace

EngineCompletion perform(StorageEngine& engine, const EngineWork& work, MayBlock may_block) {
  EngineCompletion completion;
  completion.ticket = work.ticket;
  switch (work.kind) {
    case EngineWork::Kind::read:
      completion.rows = engine.multi_get(work.keys, may_block);
      break;
    case EngineWork::Kind::write: {
      const auto sequence = engine.write(work.batch, may_block);
      completion.status = sequence.status();
      if (sequence) completion.sequence = *sequence;
      break;
    }
    case EngineWork::Kind::sync:
      completion.status = engine.sync(work.sequence, may_block);
      break;
    case EngineWork::Kind::scan:
      if (may_block == MayBlock::no)
        completion.status = {Code::would_block, "a scan may block"};
      else
        scan(engine, work, completion);
      break;
  }
  return completion;
}

bool would_block(const EngineCompletion& completion) {
  return completion.status.code() == Code::would_block ||
         std::any_of(completion.rows.begin(), completion.rows.end(), [](const auto& row) {
           return !row && row.error().code() == Code::would_block;
         });
}

}  // namespace ringwright
