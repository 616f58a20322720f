#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/decorator/forwarding_engine.h"
#include "engine/registry.h"
#include "replication/runtime/engine_desk.h"
#include "replication/runtime/thread_pool_executor.h"
#include "replication/shard/engine_port.h"
#include "tests/support/temporary_disk.h"

namespace ringwright {
namespace {

constexpr auto deadline = std::chrono::seconds(20);

// Its syncs end only when the gate is open; counts who is inside a call that may block.
class GatedEngine final : public ForwardingEngine {
 public:
  using ForwardingEngine::ForwardingEngine;
  std::string_view name() const override { return "gated"; }

  Status sync(std::uint64_t sequence, MayBlock may_block) override {
    const Status status = ForwardingEngine::sync(sequence, may_block);
    if (may_block == MayBlock::no || !status.is_ok()) return status;
    std::unique_lock lock(mutex_);
    ++syncs_;
    blocked_most_ = std::max(blocked_most_, ++blocked_);
    changed_.notify_all();
    const bool opened = changed_.wait_for(lock, deadline, [this] { return open_; });
    --blocked_;
    return opened ? status : Status{Code::io_error, "the test left the gate shut"};
  }

  void set_open(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  bool wait_for_syncs(std::uint64_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, deadline, [&] { return syncs_ >= count; });
  }
  std::uint64_t syncs() {
    const std::lock_guard lock(mutex_);
    return syncs_;
  }
  int blocked_most() {
    const std::lock_guard lock(mutex_);
    return blocked_most_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  std::uint64_t syncs_ = 0;
  int blocked_ = 0;
  int blocked_most_ = 0;
};

// One shard's wake-ups, as the production driver runs them.
class GroupCommit : public testing::Test {
 protected:
  GroupCommit() {
    auto memory = registry().create_unique<StorageEngine>("memory");
    engine_ = std::make_unique<GatedEngine>(std::move(*memory));
    EngineContext context;
    context.path = "engine";
    context.durability = Durability::disk;
    context.disk = make_temporary_disk();
    EXPECT_TRUE(engine_->open(context).is_ok());
    desk_ = std::make_unique<EngineDesk>(std::vector<StorageEngine*>{engine_.get()}, engine_.get(),
                                         executor_, [this](EngineDesk::Returned returned) {
                                           const std::lock_guard lock(mutex_);
                                           returned_.push_back(std::move(returned));
                                           changed_.notify_all();
                                         });
  }
  ~GroupCommit() override {
    engine_->set_open(true);
    executor_.stop();
  }

  // What came back, what was asked, and all that can be done about both.
  void wake_up() {
    std::deque<EngineDesk::Returned> returned;
    {
      const std::lock_guard lock(mutex_);
      returned.swap(returned_);
    }
    std::vector<EngineCompletion> done;
    for (auto& one : returned) desk_->take_back(std::move(one), done);
    for (;;) {
      for (EngineCompletion& completion : done)
        for (const EnginePort::Event& event : port_.complete(std::move(completion))) count(event);
      done.clear();
      std::vector<EngineWork> work;
      port_.take_work(ticket_, work);
      if (work.empty()) return;
      for (EngineWork& piece : work) desk_->perform(std::move(piece), done);
    }
  }

  void count(const EnginePort::Event& event) {
    EXPECT_TRUE(event.status.is_ok()) << event.status.to_string();
    if (event.kind == EnginePort::Event::Kind::applied) ++applied_;
    if (event.kind == EnginePort::Event::Kind::durable) ++durable_;
    if (event.kind == EnginePort::Event::Kind::rows) ++read_;
  }

  bool wait_for_return() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, deadline, [this] { return !returned_.empty(); });
  }

  void put(int count) {
    for (int i = 0; i < count; ++i, ++asker_)
      port_.put(asker_, "key" + std::to_string(asker_), "row");
  }

  std::unique_ptr<GatedEngine> engine_;
  ThreadPoolExecutor executor_{"test"};
  std::unique_ptr<EngineDesk> desk_;
  EnginePort port_{0, true};
  Ticket ticket_ = 1;
  EnginePort::Asker asker_ = 0;
  int applied_ = 0;
  int durable_ = 0;
  int read_ = 0;

  std::mutex mutex_;  // guards returned_
  std::condition_variable changed_;
  std::deque<EngineDesk::Returned> returned_;
};

TEST_F(GroupCommit, AllThatIsAppliedDuringOneSyncSharesTheNext) {
  put(100);
  wake_up();
  ASSERT_TRUE(engine_->wait_for_syncs(1));
  for (int i = 0; i < 50; ++i) {
    put(20);
    wake_up();
  }
  // Every put is applied and none waits on a thread: there is one call away, the sync.
  EXPECT_EQ(applied_, 1100);
  EXPECT_EQ(durable_, 0);
  EXPECT_EQ(engine_->syncs(), 1u);
  EXPECT_EQ(desk_->handed_away_count(), 1u);
  port_.read(asker_, "key5");
  wake_up();
  EXPECT_EQ(read_, 1) << "a read does not wait for a sync";

  engine_->set_open(true);
  ASSERT_TRUE(wait_for_return());
  wake_up();
  EXPECT_EQ(durable_, 100);
  ASSERT_TRUE(wait_for_return());
  wake_up();
  EXPECT_EQ(durable_, 1100);
  EXPECT_EQ(engine_->syncs(), 2u);
  EXPECT_EQ(desk_->handed_away_count(), 2u);
  EXPECT_EQ(engine_->blocked_most(), 1);
  EXPECT_TRUE(desk_->is_idle());
}

}  // namespace
}  // namespace ringwright
