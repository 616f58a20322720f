#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "engine/base/executor.h"
#include "engine/base/time.h"
#include "replication/shard/engine_work.h"

namespace ringwright {

// Performs one machine's engine work on the machine's thread: at once where the engine can do it
// without blocking, else on an executor.
//
// Invariants
// 1. Writes of one engine take effect in the order asked, one at a time: while one is at the
//    executor, later ones wait behind it.
// 2. Every piece of work has exactly one completion, unless the executor stops first.
// 3. What the executor refuses because it is full is asked again, never answered.
class EngineDesk {
 public:
  // Work that an executor thread has done, on its way back to the machine's thread.
  struct Returned {
    EngineIndex engine = 0;
    EngineWork::Kind kind = EngineWork::Kind::read;
    EngineCompletion completion;
  };
  // Called on executor threads.
  using HandBack = std::function<void(Returned)>;

  // `engines` by index; `system` under `system_engine`. All outlive the executor's last work.
  EngineDesk(std::vector<StorageEngine*> engines, StorageEngine* system, Executor& executor,
             HandBack hand_back);

  // What is done at once is appended to `done`.
  void perform(EngineWork work, std::vector<EngineCompletion>& done);
  void take_back(Returned returned, std::vector<EngineCompletion>& done);
  // Asks the executor again for what it refused.
  void retry(Instant now);
  Instant next_retry() const { return refused_.empty() ? never : retry_at_; }
  bool is_idle() const { return away_ == 0 && refused_.empty(); }

  std::uint64_t inline_count() const { return inline_count_; }
  std::uint64_t handed_away_count() const { return handed_away_count_; }

 private:
  struct Lane {
    StorageEngine* engine = nullptr;
    bool write_is_away = false;
    std::deque<EngineWork> waiting;  // writes behind the one that is away
  };

  Lane& lane_of(EngineIndex engine);
  void perform_write(Lane& lane, EngineWork work, std::vector<EngineCompletion>& done);
  void hand_away(EngineWork work);
  bool submit(const std::shared_ptr<EngineWork>& work);

  std::vector<Lane> lanes_;  // the system engine's last
  Executor& executor_;
  const HandBack hand_back_;
  std::deque<std::shared_ptr<EngineWork>> refused_;
  Instant retry_at_ = 0;
  std::size_t away_ = 0;
  std::uint64_t inline_count_ = 0;
  std::uint64_t handed_away_count_ = 0;
};

}  // namespace ringwright
