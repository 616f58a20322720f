#include "tests/durability/crash_child.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <thread>

#include "engine/engine_stack.h"
#include "engine/registry.h"

namespace ringwright::durability {
namespace {

constexpr std::string_view engine_path = "engine";
constexpr int checkpoint_tries = 200;
constexpr auto checkpoint_retry_after = std::chrono::milliseconds(10);

[[noreturn]] void end(ProgressPage& page, ChildExit code, const std::string& why) {
  std::snprintf(page.failure.data(), page.failure.size(), "%s", why.c_str());
  ::_exit(code);
}

[[noreturn]] void fail(ProgressPage& page, const std::string& what, const Status& status) {
  end(page, child_failed, what + ": " + status.to_string());
}

std::unique_ptr<StorageEngine> open_engine(const ChildPlan& plan, const std::string& path) {
  auto made = make_engine_stack(registry(), plan.engine);
  if (!made) fail(*plan.page, "cannot make the engine", made.error());
  const Status opened = (*made)->open({.path = path,
                                       .options = plan.options,
                                       .durability = plan.durability,
                                       .policy = workload_policy(),
                                       .disk = make_posix_disk(plan.root)});
  if (opened.code() == Code::corrupt) end(*plan.page, child_refused_as_corrupt, opened.to_string());
  if (!opened.is_ok()) fail(*plan.page, "cannot open the engine", opened);
  return std::move(*made);
}

// Finds out which prefix of the writes the engine holds, or ends the process.
class Verifier {
 public:
  Verifier(const ChildPlan& plan, const Workload& workload)
      : plan_(plan), page_(*plan.page), workload_(workload), model_(workload) {}

  struct Found {
    Number number = 0;
    Number next = 1;  // the first number that is free
  };

  Found verify(StorageEngine& engine) {
    const auto rows = read_rows(engine);
    if (!rows) fail(page_, "cannot read what was recovered", rows.error());
    const auto number = number_in(*rows);
    if (!number) fail(page_, "cannot read what was recovered", number.error());
    check_bounds(*number);
    model_.move_to(*number, plan_.timeline);
    const std::string differs = difference(model_.rows(), *rows);
    if (differs.empty()) return {*number, *number + 1};
    if (holds_next_drop(*number, *rows)) return {*number, *number + 2};
    end(page_, child_failed,
        "what was recovered is not what the first " + std::to_string(*number) +
            " writes left: " + differs);
  }

 private:
  void check_bounds(Number number) {
    const auto says = [&](const std::string& what) {
      end(page_, child_failed, "recovered write " + std::to_string(number) + what);
    };
    if (number < plan_.floor)
      says(", but " + std::to_string(plan_.floor) + " was acknowledged: lost");
    if (number > plan_.issued)
      says(", but " + std::to_string(plan_.issued) + " was the last that was ever issued");
    if (number != 0 && !(*plan_.batch_ends)[number]) says(", which is inside a batch: torn");
  }

  // The drop of a range is a write of its own, before the batch with its number.
  bool holds_next_drop(Number number, const Rows& rows) {
    if (number + 1 > plan_.issued) return false;
    const Request next = workload_.request(number + 1, plan_.timeline.round_of(number + 1));
    if (!next.drop) return false;
    Model dropped = model_;
    dropped.drop(*next.drop);
    return difference(dropped.rows(), rows).empty();
  }

  const ChildPlan& plan_;
  ProgressPage& page_;
  Workload workload_;
  Model model_;
};

// Streams that each have one request under way, a thread that issues what they ask in batches, and
// a thread that syncs all that was written meanwhile at once.
class Writer {
 public:
  Writer(const ChildPlan& plan, StorageEngine& engine, Workload workload, Timeline timeline,
         Verifier::Found found)
      : plan_(plan),
        page_(*plan.page),
        engine_(engine),
        workload_(std::move(workload)),
        timeline_(std::move(timeline)),
        found_(found),
        last_(found.number) {}

  // Until the process ends.
  void run() {
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < plan_.streams; ++i) threads.emplace_back([this] { stream(); });
    threads.emplace_back([this] { make_durable(); });
    issue();
  }

 private:
  struct Written {
    std::uint64_t sequence = 0;
    Number number = 0;
    bool flush = false;
  };

  void stream() {
    std::unique_lock lock(mutex_);
    for (;;) {
      ++asked_;
      const std::uint64_t mine = asked_;
      changed_.notify_all();
      changed_.wait(lock, [&] { return answered_ >= mine; });
    }
  }

  // Takes requests as they were asked, as many as there are; some stand alone.
  void issue() {
    while (last_ + plan_.streams - found_.number < ProgressPage::numbers_max) {
      std::uint64_t count = 0;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return asked_ > issued_; });
        count = asked_ - issued_;
      }
      issue_batch(count);
    }
    // The page is full: nothing is left to do but to wait for the end.
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [] { return false; });
  }

  void issue_batch(std::uint64_t count) {
    Request gathered;
    std::uint64_t taken = 0;
    for (; taken < count; ++taken) {
      Request next = request(last_ + taken + 1);
      if (taken > 0 && next.stands_alone()) break;
      for (const WriteBatch::Operation& operation : next.batch.operations()) {
        if (operation.kind == WriteBatch::Kind::put)
          gathered.batch.put(operation.key, operation.value);
        else if (operation.kind == WriteBatch::Kind::remove)
          gathered.batch.remove(operation.key);
        else
          gathered.batch.merge(operation.key, operation.value);
      }
      gathered.extra = next.extra;
      gathered.drop = next.drop;
      if (next.stands_alone() || next.extra != Request::Extra::none) {
        ++taken;
        break;
      }
    }
    last_ += taken;
    page_.mark_batch_end(last_ - found_.number);
    page_.issued.store(last_);
    write(gathered);
    const std::lock_guard lock(mutex_);
    issued_ += taken;
    if (plan_.durability != Durability::disk) answered_ = issued_;
    written_.flush = written_.flush || gathered.extra == Request::Extra::flush;
    changed_.notify_all();
  }

  Request request(Number number) const {
    return workload_.request(number, timeline_.round_of(number));
  }

  void write(const Request& request) {
    if (request.drop)
      if (const Status dropped = engine_.drop_range(*request.drop); !dropped.is_ok())
        fail(page_, "drop range", dropped);
    auto sequence = engine_.write(request.batch, MayBlock::no);
    if (!sequence && sequence.error().code() == Code::would_block)
      sequence = engine_.write(request.batch, MayBlock::yes);
    if (!sequence) fail(page_, "write " + std::to_string(last_), sequence.error());
    check_sequence(*sequence);
    page_.batches.fetch_add(1);
    if (plan_.durability == Durability::os) acknowledge(last_, *sequence);
    {
      const std::lock_guard lock(mutex_);
      written_.sequence = *sequence;
      written_.number = last_;
    }
    if (request.extra == Request::Extra::checkpoint) check_checkpoint();
  }

  void check_sequence(std::uint64_t sequence) {
    const std::uint64_t before = std::max(last_sequence_, plan_.floor_sequence);
    if (sequence <= before)
      end(page_, child_failed,
          "write " + std::to_string(last_) + " has sequence " + std::to_string(sequence) +
              ", not above " + std::to_string(before));
    last_sequence_ = sequence;
  }

  void acknowledge(Number number, std::uint64_t sequence) {
    page_.acknowledged_sequence.store(sequence);
    page_.acknowledged.store(number);
  }

  void make_durable() {
    Number done = found_.number;
    for (;;) {
      Written now;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] {
          return written_.flush || (plan_.durability == Durability::disk && written_.number > done);
        });
        now = written_;
        written_.flush = false;
      }
      if (now.flush) flush(now);
      if (plan_.durability != Durability::disk) continue;
      if (const Status synced = engine_.sync(now.sequence, MayBlock::yes); !synced.is_ok())
        fail(page_, "sync", synced);
      page_.syncs.fetch_add(1);
      done = now.number;
      acknowledge(now.number, now.sequence);
      const std::lock_guard lock(mutex_);
      // What one of the streams asked has the number behind that of the one before it.
      answered_ = now.number - found_.number;
      changed_.notify_all();
    }
  }

  void flush(const Written& now) {
    if (const Status flushed = engine_.flush(); !flushed.is_ok()) fail(page_, "flush", flushed);
    if (plan_.durability == Durability::none) acknowledge(now.number, now.sequence);
  }

  // A copy holds exactly what was written before, and opens as an engine.
  void check_checkpoint() {
    const std::string path = "checkpoint." + std::to_string(last_);
    Status made = engine_.checkpoint(path);
    // RocksDB looks at each log, also at one that a recovery is done with and that is damaged; it
    // is removed in the background.
    for (int i = 0; i < checkpoint_tries && made.code() == Code::corrupt; ++i) {
      std::this_thread::sleep_for(checkpoint_retry_after);
      made = engine_.checkpoint(path);
    }
    if (!made.is_ok()) fail(page_, "checkpoint", made);
    const auto ours = read_rows(engine_);
    const auto copy = open_engine(plan_, path);
    const auto theirs = read_rows(*copy);
    if (!ours) fail(page_, "read", ours.error());
    if (!theirs) fail(page_, "read the checkpoint", theirs.error());
    if (const std::string differs = difference(*ours, *theirs); !differs.empty())
      end(page_, child_failed, "checkpoint at " + std::to_string(last_) + ": " + differs);
    page_.checkpoints.fetch_add(1);
  }

  const ChildPlan& plan_;
  ProgressPage& page_;
  StorageEngine& engine_;
  const Workload workload_;
  const Timeline timeline_;
  const Verifier::Found found_;
  Number last_;  // the issuing thread's
  std::uint64_t last_sequence_ = 0;

  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::uint64_t asked_ = 0;
  std::uint64_t issued_ = 0;
  std::uint64_t answered_ = 0;
  Written written_;
};

}  // namespace

void run_child(const ChildPlan& plan) {
  if (!plan.power_journal.empty() && power_disk_start(plan.root.c_str(), plan.power_journal.c_str(),
                                                      plan.power, plan.seed + plan.round) != 0)
    end(*plan.page, child_failed, "cannot make " + plan.power_journal);
  const auto engine = open_engine(plan, std::string(engine_path));
  const Workload workload(plan.seed, engine->capabilities().merge);
  const Verifier::Found found = Verifier(plan, workload).verify(*engine);
  plan.page->first.store(found.next);
  plan.page->issued.store(found.next - 1);
  plan.page->recovered.store(found.number);
  if (plan.only_verify) {
    if (const Status closed = engine->close(); !closed.is_ok()) fail(*plan.page, "close", closed);
    ::_exit(child_verified);
  }
  Timeline timeline = plan.timeline;
  timeline.take_over(found.next, plan.round);
  Writer(plan, *engine, workload, std::move(timeline), found).run();
  ::_exit(child_failed);
}

}  // namespace ringwright::durability
