#include "replication/runtime/engine_desk.h"

#include <utility>

#include "engine/base/check.h"
#include "engine/base/limits.h"

namespace ringwright {

EngineDesk::EngineDesk(std::vector<StorageEngine*> engines, StorageEngine* system,
                       Executor& executor, HandBack hand_back)
    : executor_(executor), hand_back_(std::move(hand_back)) {
  engines.push_back(system);
  for (StorageEngine* const engine : engines) lanes_.emplace_back().engine = engine;
}

EngineDesk::Lane& EngineDesk::lane_of(EngineIndex engine) {
  const std::size_t at = engine == system_engine ? lanes_.size() - 1 : engine;
  RW_CHECK(at < lanes_.size());
  return lanes_[at];
}

void EngineDesk::perform(EngineWork work, std::vector<EngineCompletion>& done) {
  Lane& lane = lane_of(work.engine);
  if (work.kind == EngineWork::Kind::write) {
    if (lane.write_is_away)
      lane.waiting.push_back(std::move(work));
    else
      perform_write(lane, std::move(work), done);
    return;
  }
  EngineCompletion completion = ringwright::perform(*lane.engine, work, MayBlock::no);
  if (would_block(completion)) {
    hand_away(std::move(work));
    return;
  }
  ++inline_count_;
  done.push_back(std::move(completion));
}

void EngineDesk::perform_write(Lane& lane, EngineWork work, std::vector<EngineCompletion>& done) {
  EngineCompletion completion = ringwright::perform(*lane.engine, work, MayBlock::no);
  if (would_block(completion)) {
    lane.write_is_away = true;
    hand_away(std::move(work));
    return;
  }
  ++inline_count_;
  done.push_back(std::move(completion));
}

void EngineDesk::hand_away(EngineWork work) {
  ++handed_away_count_;
  // The executor's functions are copyable, the work is not worth copying.
  auto shared = std::make_shared<EngineWork>(std::move(work));
  if (!refused_.empty() || !submit(shared)) refused_.push_back(std::move(shared));
}

bool EngineDesk::submit(const std::shared_ptr<EngineWork>& work) {
  StorageEngine* const engine = lane_of(work->engine).engine;
  const Status status = executor_.submit([this, engine, work] {
    hand_back_({work->engine, work->kind, ringwright::perform(*engine, *work, MayBlock::yes)});
  });
  // A stopped executor takes nothing more, and nobody waits for it.
  const bool taken = status.is_ok() || status.code() == Code::closed;
  if (taken) ++away_;
  return taken;
}

void EngineDesk::take_back(Returned returned, std::vector<EngineCompletion>& done) {
  --away_;
  done.push_back(std::move(returned.completion));
  if (returned.kind != EngineWork::Kind::write) return;
  Lane& lane = lane_of(returned.engine);
  lane.write_is_away = false;
  while (!lane.waiting.empty() && !lane.write_is_away) {
    EngineWork next = std::move(lane.waiting.front());
    lane.waiting.pop_front();
    perform_write(lane, std::move(next), done);
  }
}

void EngineDesk::retry(Instant now) {
  while (!refused_.empty() && submit(refused_.front())) refused_.pop_front();
  retry_at_ = now + limits::executor_retry_after;
}

}  // namespace ringwright
