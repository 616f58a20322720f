#include "tests/durability/disk_crowd.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <functional>
#include <mutex>
#include <thread>

#include "engine/base/random.h"
#include "engine/engine_stack.h"
#include "engine/registry.h"

namespace ringwright::durability {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr auto deadline = std::chrono::seconds(120);  // of each step of a cycle
constexpr auto poll_every = std::chrono::milliseconds(1);
constexpr int polls_until_less = 200;
constexpr int cycles_max = 4;
constexpr Number rows_of_a_writer = 40;
constexpr std::int64_t writes_of_a_cycle_max = 150;
constexpr std::int64_t refusals_of_a_cycle_max = 60;

[[noreturn]] void end(ProgressPage& page, const std::string& why) {
  static std::mutex first;
  first.lock();  // for ever: the others' words must not mix with these
  std::snprintf(page.failure.data(), page.failure.size(), "%s", why.c_str());
  ::_exit(child_failed);
}

// --- the rows of a writer ------------------------------------------------------------------------

Bytes prefix_of(std::size_t writer) { return "writer" + std::to_string(writer) + "/"; }
Bytes number_key(std::size_t writer) { return prefix_of(writer) + "number"; }
Bytes row_key(std::size_t writer, Number row) {
  return prefix_of(writer) + "row" + std::to_string(100 + row);
}
KeyRange range_of(std::size_t writer) {
  Bytes stop = prefix_of(writer);
  stop.back() = '0';  // behind '/'
  return {prefix_of(writer), stop};
}

bool drops(Number number) { return number % 61 == 0; }

Bytes value_of(std::size_t writer, Number number) {
  SeededRandom random(number * 31 + writer, "value");
  const std::int64_t bytes = random.chance(0.05) ? 20'000 : random.between(0, 400);
  Bytes value = std::to_string(number) + " ";
  while (value.size() < static_cast<std::size_t>(bytes))
    value += static_cast<char>('a' + random.below(26));
  return value;
}

// A write changes two rows and names its number, or it drops all rows.
WriteBatch batch_of(std::size_t writer, Number number) {
  WriteBatch batch;
  batch.put(row_key(writer, number % rows_of_a_writer), value_of(writer, number));
  batch.remove(row_key(writer, (number * 7 + 3) % rows_of_a_writer));
  batch.put(number_key(writer), std::to_string(number));
  return batch;
}

Rows rows_after(std::size_t writer, Number number) {
  // A drop leaves nothing of what was before it.
  Number first = number;
  while (first > 0 && !drops(first)) --first;
  Rows rows;
  for (Number n = first + 1; n <= number; ++n) {
    rows[row_key(writer, n % rows_of_a_writer)] = value_of(writer, n);
    rows.erase(row_key(writer, (n * 7 + 3) % rows_of_a_writer));
    rows[number_key(writer)] = std::to_string(n);
  }
  return rows;
}

Number number_of(const Rows& rows, std::size_t writer) {
  const auto at = rows.find(number_key(writer));
  return at == rows.end() ? 0 : std::stoull(at->second);
}

// What is wrong with a writer's rows when it has at least `least` and at most `most` writes behind
// it; empty when nothing is.
std::string fault(std::size_t writer, const Rows& rows, Number least, Number most) {
  const Number shown = number_of(rows, writer);
  const std::string who = "writer " + std::to_string(writer) + ": ";
  if (shown > most) return who + std::to_string(shown) + " was never issued";
  // Without rows, a drop was the last write, whichever.
  if (rows.empty()) {
    for (Number n = least; n <= most; ++n)
      if (n == 0 || drops(n)) return {};
    return who + "no rows, but " + std::to_string(least) + " was the last write";
  }
  if (shown < least)
    return who + "shows " + std::to_string(shown) + ", but " + std::to_string(least) + " is lost";
  const std::string differs = difference(rows_after(writer, shown), rows);
  return differs.empty() ? differs : who + "after " + std::to_string(shown) + ": " + differs;
}

Result<Rows> scan(StorageEngine& engine, std::size_t writer, const std::function<void()>& pause) {
  Rows rows;
  const auto at = engine.iterate(range_of(writer), Direction::forward);
  pause();
  for (; at->valid(); at->next()) rows.emplace_hint(rows.end(), at->key(), at->value());
  if (!at->status().is_ok()) return at->status();
  return rows;
}

std::unique_ptr<StorageEngine> open_engine(const ChildPlan& plan) {
  auto made = make_engine_stack(registry(), plan.engine);
  if (!made) end(*plan.page, made.error().to_string());
  const Status opened = (*made)->open({.path = "engine",
                                       .options = plan.options,
                                       .durability = plan.durability,
                                       .policy = workload_policy(),
                                       .disk = make_posix_disk(plan.root)});
  if (!opened.is_ok()) end(*plan.page, "open: " + opened.to_string());
  return std::move(*made);
}

// --- the crowd -----------------------------------------------------------------------------------

class Crowd {
 public:
  Crowd(const ChildPlan& plan, CrowdPage& crowd)
      : plan_(plan), crowd_(crowd), random_(plan.seed, "crowd"), engine_(open_engine(plan)) {}

  void run(bool unseen) {
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < CrowdPage::writers; ++i)
      threads.emplace_back([this, i] { write(i); });
    threads.emplace_back([this] { read(1); });
    threads.emplace_back([this] { read(2); });
    threads.emplace_back([this] { iterate(3); });
    threads.emplace_back([this] { iterate(4); });
    threads.emplace_back([this] { flush(); });
    threads.emplace_back([this] { ask_for_figures(); });
    for (std::int64_t cycles = random_.between(2, cycles_max); cycles > 0; --cycles) {
      write_more(random_.between(1, writes_of_a_cycle_max));
      fill(unseen);
      // Some end with a full disk.
      if (cycles == 1 && random_.chance(0.3)) break;
      for (std::int64_t tries = random_.between(0, 3); tries > 0; --tries) free_a_little(unseen);
      free();
      ++crowd_.cycles;
    }
    if (plan_.power->unknown_calls != 0) fail("a call that the model does not know");
    crowd_.has_passed = true;
    ::kill(::getpid(), SIGKILL);
  }

 private:
  [[noreturn]] void fail(const std::string& why) { end(*plan_.page, why); }

  void expect_full_at_most(const Status& status, const std::string& what) {
    const Code code = status.code();
    if (code == Code::no_space) ++crowd_.refused;
    if (code != Code::ok && code != Code::no_space && code != Code::busy)
      fail(what + ": " + status.to_string());
  }

  void write(std::size_t writer) {
    SeededRandom random(plan_.seed * 100 + writer, "writer");
    CrowdPage::Progress& progress = crowd_.progress[writer];
    std::uint64_t sequence = 0;
    for (Number number = 1;; ++number) {
      progress.issued = number;
      while (!write_number(writer, number, sequence)) std::this_thread::sleep_for(poll_every);
      progress.applied = number;
      if (drops(number) && plan_.durability == Durability::disk) progress.acknowledged = number;
      if (random.chance(0.3)) sync(progress, number, sequence);
    }
  }

  bool write_number(std::size_t writer, Number number, std::uint64_t& sequence) {
    if (drops(number)) {
      const Status dropped = engine_->drop_range(range_of(writer));
      // Applied perhaps, and not durable; repeated, it is the same.
      if (dropped.code() == Code::in_doubt) return false;
      expect_full_at_most(dropped, "drop");
      return dropped.is_ok();
    }
    const WriteBatch batch = batch_of(writer, number);
    auto written = engine_->write(batch, MayBlock::no);
    if (written.status().code() == Code::would_block)
      written = engine_->write(batch, MayBlock::yes);
    expect_full_at_most(written.status(), "write");
    if (!written) return false;
    sequence = *written;
    return true;
  }

  void sync(CrowdPage::Progress& progress, Number number, std::uint64_t sequence) {
    Status synced = engine_->sync(sequence, MayBlock::no);
    if (synced.code() == Code::would_block) synced = engine_->sync(sequence, MayBlock::yes);
    expect_full_at_most(synced, "sync");
    if (synced.is_ok() && plan_.durability == Durability::disk) progress.acknowledged = number;
  }

  void read(std::uint64_t who) {
    SeededRandom random(plan_.seed * 100 + who, "reader");
    for (;;) {
      const std::size_t writer = random.below(CrowdPage::writers);
      const CrowdPage::Progress& progress = crowd_.progress[writer];
      std::vector<Bytes> keys{number_key(writer)};
      for (std::uint64_t more = random.below(6); more > 0; --more)
        keys.push_back(row_key(writer, random.below(rows_of_a_writer)));
      const Number least = progress.applied;
      auto answers = engine_->multi_get(keys, MayBlock::no);
      const bool would_block = std::any_of(answers.begin(), answers.end(), [](const auto& answer) {
        return answer.status().code() == Code::would_block;
      });
      for (const auto& answer : answers)
        if (!answer && answer.status().code() != Code::would_block)
          fail("a read that may not block: " + answer.status().to_string());
      if (would_block) {
        ++crowd_.handed_away;
        answers = engine_->multi_get(keys, MayBlock::yes);
        for (const auto& answer : answers) expect_full_at_most(answer.status(), "read");
      }
      const Number most = progress.issued;
      if (answers.front()) check_number(*answers.front(), least, most);
      ++crowd_.reads;
      std::this_thread::yield();
    }
  }

  void check_number(const std::optional<Bytes>& found, Number least, Number most) {
    const auto says = [&](const std::string& what) {
      fail("a read shows " + what + ", not " + std::to_string(least) + " to " +
           std::to_string(most));
    };
    if (found) {
      const Number shown = std::stoull(*found);
      if (shown < least || shown > most) says(std::to_string(shown));
      return;
    }
    for (Number n = least; n <= most; ++n)
      if (n == 0 || drops(n)) return;
    says("nothing");
  }

  // Two of these overlap most of the time.
  void iterate(std::uint64_t who) {
    SeededRandom random(plan_.seed * 100 + who, "iterator");
    const auto pause = [&random] {
      std::this_thread::sleep_for(std::chrono::milliseconds(random.between(0, 5)));
    };
    for (;;) {
      const std::size_t writer = random.below(CrowdPage::writers);
      const Number least = crowd_.progress[writer].applied;
      const auto rows = scan(*engine_, writer, pause);
      const Number most = crowd_.progress[writer].issued;
      expect_full_at_most(rows.status(), "scan");
      if (!rows) {
        ++crowd_.refused_scans;
        std::this_thread::sleep_for(poll_every);
        continue;
      }
      if (const std::string wrong = fault(writer, *rows, least, most); !wrong.empty())
        fail("a scan: " + wrong);
      ++crowd_.scans;
    }
  }

  void flush() {
    SeededRandom random(plan_.seed, "flush");
    for (;;) {
      expect_full_at_most(engine_->flush(), "flush");
      std::this_thread::sleep_for(std::chrono::milliseconds(random.between(1, 30)));
    }
  }

  void ask_for_figures() {
    for (;;) {
      const double pressure = engine_->pressure();
      if (pressure < 0 || pressure > 1) fail("pressure " + std::to_string(pressure));
      engine_->stats();
      engine_->approximate_bytes(range_of(0));
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  }

  void wait_until(const std::function<bool()>& reached, const std::string& what) {
    const auto end = SteadyClock::now() + deadline;
    while (!reached()) {
      if (SteadyClock::now() > end) fail("waited too long for " + what);
      std::this_thread::sleep_for(poll_every);
    }
  }

  // Each writer, and durably where the class says so.
  void write_more(std::int64_t count) {
    std::array<Number, CrowdPage::writers> goals;
    const auto reached = [&](std::size_t i) {
      const CrowdPage::Progress& progress = crowd_.progress[i];
      return plan_.durability == Durability::disk ? progress.acknowledged.load()
                                                  : progress.applied.load();
    };
    for (std::size_t i = 0; i < goals.size(); ++i)
      goals[i] = crowd_.progress[i].applied + static_cast<Number>(count);
    wait_until(
        [&] {
          for (std::size_t i = 0; i < goals.size(); ++i)
            if (reached(i) < goals[i]) return false;
          return true;
        },
        "writes with room");
  }

  void leave(std::int64_t bytes, bool unseen) {
    plan_.power->budget_bytes = plan_.power->used_bytes + static_cast<std::uint64_t>(bytes);
    plan_.power->hides_budget = unseen;
  }

  // Enough to begin something and perhaps not to end it: the disk may fill in the middle of what
  // the engine does to go on.
  void free_a_little(bool unseen) {
    leave(random_.between(0, 400'000), unseen);
    std::this_thread::sleep_for(std::chrono::milliseconds(random_.between(0, 20)));
  }

  void fill(bool unseen) {
    const std::uint64_t before = crowd_.refused;
    leave(random_.between(1000, 200'000), unseen);
    const auto enough = static_cast<std::uint64_t>(random_.between(1, refusals_of_a_cycle_max));
    int polls = 0;
    wait_until(
        [&] {
          // The engine may just have written its files anew and need less than it did.
          if (++polls % polls_until_less == 0) leave(random_.between(0, 1000), unseen);
          return crowd_.refused >= before + enough;
        },
        "a full disk");
  }

  void free() {
    plan_.power->budget_bytes = PowerPage::no_budget;
    plan_.power->hides_budget = false;
    const auto freed = SteadyClock::now();
    write_more(1);
    const auto waited =
        std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - freed);
    crowd_.longest_wait_ms =
        std::max(crowd_.longest_wait_ms.load(), static_cast<std::uint64_t>(waited.count()));
  }

  const ChildPlan& plan_;
  CrowdPage& crowd_;
  SeededRandom random_;
  const std::unique_ptr<StorageEngine> engine_;
};

}  // namespace

void run_a_crowd(const ChildPlan& plan, CrowdPage& crowd, bool unseen) {
  if (power_disk_start(plan.root.c_str(), plan.power_journal.c_str(), plan.power, plan.seed) != 0)
    end(*plan.page, "cannot make " + plan.power_journal);
  Crowd(plan, crowd).run(unseen);
  ::_exit(child_failed);
}

void verify_a_crowd(const ChildPlan& plan, const CrowdPage& crowd, Left left) {
  const auto engine = open_engine(plan);
  for (std::size_t i = 0; i < CrowdPage::writers; ++i) {
    const CrowdPage::Progress& progress = crowd.progress[i];
    const auto rows = scan(*engine, i, [] {});
    if (!rows) end(*plan.page, "scan: " + rows.error().to_string());
    Number least = 0;
    if (left == Left::all_applied) least = progress.applied;
    if (left == Left::all_acknowledged) least = progress.acknowledged;
    if (const std::string wrong = fault(i, *rows, least, progress.issued); !wrong.empty())
      end(*plan.page, wrong);
  }
  if (const Status closed = engine->close(); !closed.is_ok())
    end(*plan.page, "close: " + closed.to_string());
  ::_exit(child_verified);
}

}  // namespace ringwright::durability
