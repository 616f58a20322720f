#include "tests/durability/disk_trouble.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <deque>
#include <future>
#include <thread>

#include "engine/base/random.h"
#include "engine/engine_stack.h"
#include "engine/registry.h"

namespace ringwright::durability {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr auto freed_deadline = std::chrono::seconds(30);
constexpr auto iterators_may_stay = std::chrono::seconds(4);
constexpr auto close_deadline = std::chrono::seconds(10);
constexpr auto retry_every = std::chrono::milliseconds(2);
constexpr int cycles = 2;
constexpr int cycles_with_iterators_that_stay = 6;
constexpr int tries_while_full = 5;
constexpr int numbers_of_a_cycle_max = 3000;
constexpr std::int64_t room_bytes_min = 1000;
constexpr std::int64_t room_bytes_max = 400'000;
// Without logs only tables need room, which have the last version of each row alone; and nothing is
// refused before the memtables are full as well.
constexpr std::int64_t room_bytes_without_logs_max = 30'000;
constexpr int numbers_of_a_cycle_without_logs_max = 12'000;
constexpr int rows_to_compact = 6000;
constexpr std::size_t noise_bytes = 1000;
constexpr std::uint64_t room_for_flushes = 1'500'000;
constexpr int flushes_behind_compactions = 100;
constexpr int rows_between_flushes = 20;
constexpr int numbers_of_another = 1000;
constexpr int numbers_before_the_iterator = 50;
constexpr int numbers_before_the_failure_max = 400;
constexpr int tries_after_the_failure = 20;

// One engine, one request at a time, and the rows that it must show.
class Session {
 public:
  Session(const ChildPlan& plan, TroubleFigures& figures)
      : plan_(plan),
        page_(*plan.page),
        figures_(figures),
        random_(plan.seed, "trouble"),
        workload_(plan.seed, false),
        model_(workload_) {
    if (power_disk_start(plan.root.c_str(), plan.power_journal.c_str(), plan.power, plan.seed) != 0)
      fail("cannot make " + plan.power_journal);
    open();
    workload_ = Workload(plan.seed, engine_->capabilities().merge);
    model_ = Model(workload_);
  }

  [[noreturn]] void fail(const std::string& why) {
    std::snprintf(page_.failure.data(), page_.failure.size(), "%s", why.c_str());
    ::_exit(child_failed);
  }

  void fill_and_free(Filling filling) {
    for (int cycle = 0; cycle < cycles; ++cycle) {
      plan_.power->hides_budget = filling == Filling::unseen;
      leave_little_room();
      fill();
      for (int i = 0; i < tries_while_full; ++i) {
        try_next();
        if (random_.chance(0.2)) try_flush();
        check_rows();
      }
      plan_.power->budget_bytes = PowerPage::no_budget;
      wait_until_writes_pass();
      ++figures_.cycles;
    }
    expect_ok(sync(), "sync with room again");
    expect_ok(engine_->flush(), "flush with room again");
    expect_ok(engine_->close(), "close");
    open();
    check_rows();
  }

  // A close flushes nothing, so it needs no room.
  void fill_and_close() {
    plan_.power->hides_budget = true;
    leave_little_room();
    fill();
    for (int i = 0; i < tries_while_full; ++i) try_next();
    try_flush();
    const auto begun = SteadyClock::now();
    const Status closed = engine_->close();
    if (SteadyClock::now() - begun > close_deadline) fail("close waits for room");
    if (closed.code() != Code::ok && closed.code() != Code::no_space)
      fail("close on a full disk: " + closed.to_string());
    plan_.power->budget_bytes = PowerPage::no_budget;
  }

  // There is room for flushes, and none for the compactions that should make room for them.
  void flush_behind_compactions() {
    for (int i = 0; i < rows_to_compact; ++i) expect_ok(put_noise(i, MayBlock::yes), "write");
    plan_.power->budget_bytes = plan_.power->used_bytes + room_for_flushes;
    auto flushes = std::async(std::launch::async, [&] {
      for (int i = 0; i < flushes_behind_compactions; ++i) {
        for (int j = 0; j < rows_between_flushes; ++j)
          put_noise(static_cast<int>(random_.below(rows_to_compact)), MayBlock::no)
              .ignore("it may be refused");
        expect_full_at_most(engine_->flush());
      }
    });
    if (flushes.wait_for(freed_deadline) != std::future_status::ready)
      fail("a flush waits for a compaction that lacks room");
    expect_ok(engine_->close(), "close");
    plan_.power->budget_bytes = PowerPage::no_budget;
  }

  // Whose directory lies elsewhere. All of one library in a process share its threads.
  void fill_beside_another(const std::string& elsewhere) {
    plan_.power->hides_budget = true;
    leave_little_room();
    fill();
    auto other = std::async(std::launch::async, [&] {
      const auto engine = open_engine(elsewhere, Durability::os);
      for (int i = 0; i < numbers_of_another; ++i) {
        WriteBatch batch;
        batch.put("key" + std::to_string(i), Bytes(1000, 'v'));
        expect_ok(engine->write(batch, MayBlock::yes).status(), "write of another engine");
      }
      expect_ok(engine->flush(), "flush of another engine");
      expect_ok(engine->close(), "close of another engine");
    });
    if (other.wait_for(close_deadline) != std::future_status::ready)
      fail("another engine waits for room");
    engine_->close().ignore("it is another test's");
    plan_.power->budget_bytes = PowerPage::no_budget;
  }

  void fill_and_free_under_iterators() {
    HeldIterator longest = hold_iterator();
    for (int cycle = 0; cycle < cycles; ++cycle) {
      for (int i = 0; i < numbers_before_the_iterator; ++i) wait_until_writes_pass();
      auto iterator = engine_->iterate({}, Direction::forward);
      fill_unseen_and_free();
      const auto freed = SteadyClock::now();
      while (try_next()) {
        if (SteadyClock::now() - freed > freed_deadline)
          fail("refuses as long as iterators follow");
        check_reads();
        auto next = engine_->iterate({}, Direction::forward);
        expect_full_at_most(next->status());
        iterator = std::move(next);
        std::this_thread::sleep_for(retry_every);
      }
      iterator.reset();
      check_rows();
      ++figures_.cycles;
    }
    check_and_end(longest);
    expect_ok(engine_->close(), "close");
  }

  void fill_and_free_with_iterators_that_stay() {
    std::deque<HeldIterator> held;
    for (int cycle = 0; cycle < cycles_with_iterators_that_stay; ++cycle) {
      for (int i = 0; i < numbers_before_the_iterator; ++i) wait_until_writes_pass();
      held.push_back(hold_iterator());
      fill_unseen_and_free();
      const auto freed = SteadyClock::now();
      while (try_next()) {
        if (SteadyClock::now() - freed > freed_deadline)
          fail("refuses long after the oldest iterator ended");
        if (!held.empty() && SteadyClock::now() - freed > iterators_may_stay) {
          check_and_end(held.front());
          held.pop_front();
          ++figures_.iterators_in_the_way;
        }
        std::this_thread::sleep_for(retry_every);
      }
      check_rows();
      ++figures_.cycles;
    }
    for (HeldIterator& one : held) check_and_end(one);
    expect_ok(engine_->close(), "close");
  }

  void fail_one_sync() {
    const std::int64_t quiet = random_.between(0, numbers_before_the_failure_max / 2);
    for (int i = 0; i < numbers_before_the_failure_max; ++i) {
      if (i == quiet)
        plan_.power->fail_sync_in = static_cast<std::uint64_t>(random_.between(1, 20));
      const Status written = write_next();
      if (!written.is_ok()) {
        figures_.write_failed = true;
        break;
      }
      if (const Status synced = sync(); !synced.is_ok()) {
        if (synced.code() == Code::no_space) fail("a failed sync answered no_space");
        figures_.sync_failed = true;
        break;
      }
      if (random_.chance(0.02)) engine_->flush().ignore("it may meet the failure");
    }
    if (figures_.sync_failed || figures_.write_failed) expect_stopped();
    engine_->close().ignore("the engine has failed");
  }

 private:
  struct HeldIterator {
    std::unique_ptr<Iterator> iterator;
    Rows rows;  // that it must show
  };

  HeldIterator hold_iterator() { return {engine_->iterate({}, Direction::forward), model_.rows()}; }

  void check_and_end(HeldIterator& held) {
    Rows seen;
    for (Iterator& at = *held.iterator; at.valid(); at.next())
      seen.emplace(Bytes(at.key()), Bytes(at.value()));
    expect_ok(held.iterator->status(), "an iterator that stayed");
    if (const std::string differs = difference(held.rows, seen); !differs.empty())
      fail("an iterator that stayed: " + differs);
    held.iterator.reset();
  }

  void fill_unseen_and_free() {
    plan_.power->hides_budget = true;
    leave_little_room();
    fill();
    plan_.power->budget_bytes = PowerPage::no_budget;
  }

  bool has_logs() const { return plan_.durability != Durability::none; }

  Status put_noise(int row, MayBlock may_block) {
    Bytes value(noise_bytes, '\0');
    for (char& byte : value) byte = static_cast<char>(random_.below(256));
    WriteBatch batch;
    batch.put("noise" + std::to_string(row), value);
    return engine_->write(batch, may_block).status();
  }

  void leave_little_room() {
    const std::int64_t most = has_logs() ? room_bytes_max : room_bytes_without_logs_max;
    plan_.power->budget_bytes =
        plan_.power->used_bytes + static_cast<std::uint64_t>(random_.between(room_bytes_min, most));
  }

  void open() { engine_ = open_engine(plan_.root, plan_.durability); }

  std::unique_ptr<StorageEngine> open_engine(const std::string& root, Durability durability) {
    auto made = make_engine_stack(registry(), plan_.engine);
    if (!made) fail(made.error().to_string());
    expect_ok((*made)->open({.path = "engine",
                             .options = plan_.options,
                             .durability = durability,
                             .policy = workload_policy(),
                             .disk = make_posix_disk(root)}),
              "open");
    return std::move(*made);
  }

  void expect_ok(const Status& status, const std::string& what) {
    if (!status.is_ok()) fail(what + ": " + status.to_string());
  }

  // The next request, without what is not a write. Applied to the model when it was to the engine.
  Status write_next() {
    const Number number = model_.number() + 1;
    Request request = workload_.request(number, plan_.round);
    page_.issued = number;
    if (dropped_ != number && request.drop) {
      const Status dropped = engine_->drop_range(*request.drop);
      if (!dropped.is_ok() && dropped.code() != Code::in_doubt) return dropped;
      model_.drop(*request.drop);
      dropped_ = number;
      // Only its sync was refused.
      if (!dropped.is_ok()) return {Code::no_space, dropped.message()};
    }
    auto sequence = engine_->write(request.batch, MayBlock::no);
    if (!sequence && sequence.error().code() == Code::would_block)
      sequence = engine_->write(request.batch, MayBlock::yes);
    if (!sequence) return sequence.error();
    sequence_ = *sequence;
    model_.move_to(number, timeline());
    page_.mark_batch_end(number);
    if (plan_.durability == Durability::os) page_.acknowledged = number;
    return ok_status();
  }

  Timeline timeline() const {
    Timeline timeline;
    timeline.take_over(1, plan_.round);
    return timeline;
  }

  Status sync() {
    const Number covered = model_.number();
    Status synced = engine_->sync(sequence_, MayBlock::yes);
    if (synced.is_ok() && plan_.durability == Durability::disk) page_.acknowledged = covered;
    return synced;
  }

  // True when something was refused for want of space.
  bool try_next() {
    Status status = write_next();
    if (status.is_ok()) status = sync();
    expect_full_at_most(status);
    if (status.code() == Code::no_space) ++figures_.refused;
    return status.code() == Code::no_space;
  }

  // It may also make room.
  void try_flush() { expect_full_at_most(engine_->flush()); }

  void expect_full_at_most(const Status& status) {
    const Code code = status.code();
    if (code != Code::ok && code != Code::no_space && code != Code::busy)
      fail("on a full disk: " + status.to_string());
  }

  void fill() {
    const int most = has_logs() ? numbers_of_a_cycle_max : numbers_of_a_cycle_without_logs_max;
    for (int i = 0; i < most; ++i)
      if (try_next()) return;
    fail("the disk is full, and nothing was refused");
  }

  void wait_until_writes_pass() {
    const auto freed = SteadyClock::now();
    for (;;) {
      Status status = write_next();
      if (status.is_ok()) status = sync();
      const auto waited = SteadyClock::now() - freed;
      if (status.is_ok()) {
        const auto milliseconds =
            std::chrono::duration_cast<std::chrono::milliseconds>(waited).count();
        figures_.longest_wait_ms =
            std::max(figures_.longest_wait_ms.load(), static_cast<std::uint64_t>(milliseconds));
        return check_rows();
      }
      const bool may_pass = status.code() == Code::no_space || status.code() == Code::busy;
      if (!may_pass) fail("with room again: " + status.to_string());
      if (waited > freed_deadline) fail("refuses long after there was room: " + status.to_string());
      std::this_thread::sleep_for(retry_every);
    }
  }

  void check_reads() {
    const std::vector<Bytes> keys{"number"};
    for (const MayBlock may_block : {MayBlock::no, MayBlock::yes}) {
      const auto answers = engine_->multi_get(keys, may_block);
      const Code code = answers.front().status().code();
      if (code != Code::ok && !(code == Code::would_block && may_block == MayBlock::no))
        fail("read: " + answers.front().status().to_string());
    }
  }

  void check_rows() {
    const auto rows = read_rows(*engine_);
    if (!rows) fail("read: " + rows.error().to_string());
    if (const std::string differs = difference(model_.rows(), *rows); !differs.empty())
      fail("after write " + std::to_string(model_.number()) + ": " + differs);
  }

  void expect_stopped() {
    for (int i = 0; i < tries_after_the_failure; ++i) {
      const Status written = write_next();
      if (written.is_ok()) fail("a write came through after a failure");
      if (figures_.sync_failed && sync().is_ok()) fail("a sync came through after a failed one");
    }
  }

  const ChildPlan& plan_;
  ProgressPage& page_;
  TroubleFigures& figures_;
  SeededRandom random_;
  Workload workload_;
  Model model_;
  std::unique_ptr<StorageEngine> engine_;
  std::uint64_t sequence_ = 0;
  Number dropped_ = 0;
};

}  // namespace

void run_on_a_full_disk(const ChildPlan& plan, TroubleFigures& figures, Filling filling) {
  Session session(plan, figures);
  session.fill_and_free(filling);
  if (plan.power->unknown_calls != 0) session.fail("a call that the model does not know");
  ::_exit(child_verified);
}

void run_to_a_full_end(const ChildPlan& plan, TroubleFigures& figures) {
  Session session(plan, figures);
  session.fill_and_close();
  ::_exit(child_verified);
}

void run_behind_compactions(const ChildPlan& plan, TroubleFigures& figures) {
  Session session(plan, figures);
  session.flush_behind_compactions();
  ::_exit(child_verified);
}

void run_beside_another_engine(const ChildPlan& plan, TroubleFigures& figures,
                               const std::string& elsewhere) {
  Session session(plan, figures);
  session.fill_beside_another(elsewhere);
  ::_exit(child_verified);
}

void run_under_iterators(const ChildPlan& plan, TroubleFigures& figures) {
  Session session(plan, figures);
  session.fill_and_free_under_iterators();
  ::_exit(child_verified);
}

void run_with_iterators_that_stay(const ChildPlan& plan, TroubleFigures& figures) {
  Session session(plan, figures);
  session.fill_and_free_with_iterators_that_stay();
  ::_exit(child_verified);
}

void run_with_a_failed_sync(const ChildPlan& plan, TroubleFigures& figures) {
  Session session(plan, figures);
  session.fail_one_sync();
  ::_exit(child_verified);
}

}  // namespace ringwright::durability
