#include "tests/durability/crash_rounds.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "engine/base/check.h"
#include "engine/base/random.h"
#include "engine/engine_stack.h"
#include "engine/registry.h"
#include "tests/durability/crash_child.h"
#include "tests/durability/durable_image.h"
#include "tests/durability/shared.h"

namespace ringwright::durability {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Microseconds = std::chrono::microseconds;

constexpr auto round_deadline = std::chrono::seconds(60);
constexpr Microseconds look_every{50};
constexpr std::int64_t rounds_of_a_life_max = 16;
constexpr std::uint64_t numbers_of_a_round_max = 250;

struct Ended {
  bool killed_by_us = false;
  bool in_open = false;
  int wait_status = 0;
  std::string failure;
};

// When the parent kills: some time after the child began, or after so many numbers.
struct KillPoint {
  bool in_open = false;
  Microseconds after{0};
  Number numbers = 0;
};

class Child {
 public:
  explicit Child(const ChildPlan& plan) : page_(*plan.page), started_(SteadyClock::now()) {
    std::fflush(nullptr);
    process_ = ::fork();
    RW_CHECK(process_ >= 0);
    if (process_ == 0) run_child(plan);
  }

  Ended kill_at(const KillPoint& point, bool counts_issued) {
    Ended ended;
    auto kill_time = started_ + point.after;
    bool reached = point.in_open;
    for (;;) {
      const auto now = SteadyClock::now();
      if (!reached && has_come_to(point.numbers, counts_issued)) {
        reached = true;
        kill_time = now + point.after;
      }
      const bool late = now > started_ + round_deadline;
      if ((reached && now >= kill_time) || late) {
        ended.killed_by_us = true;
        ended.in_open = page_.recovered.load() == ProgressPage::none;
        ::kill(process_, SIGKILL);
        ::waitpid(process_, &ended.wait_status, 0);
        if (late) ended.failure = "the child came no further in a minute: it hangs";
        break;
      }
      if (::waitpid(process_, &ended.wait_status, WNOHANG) == process_) break;
      std::this_thread::sleep_for(look_every);
    }
    return with_failure(ended);
  }

  Ended wait_for_end() {
    KillPoint never;
    never.numbers = ProgressPage::none;
    return kill_at(never, true);
  }

 private:
  bool has_come_to(Number numbers, bool counts_issued) const {
    const Number recovered = page_.recovered.load();
    if (recovered == ProgressPage::none) return false;
    const Number come = counts_issued ? page_.issued.load() : page_.acknowledged.load();
    return come >= recovered && come - recovered >= numbers;
  }

  Ended with_failure(Ended ended) const {
    if (!ended.failure.empty()) return ended;
    const bool by_sigkill =
        WIFSIGNALED(ended.wait_status) && WTERMSIG(ended.wait_status) == SIGKILL;
    if (ended.killed_by_us && by_sigkill) return ended;
    // It ended of itself, perhaps in the instant before the kill.
    ended.killed_by_us = false;
    if (WIFSIGNALED(ended.wait_status))
      ended.failure = "the child died of signal " + std::to_string(WTERMSIG(ended.wait_status));
    else if (const int code = WEXITSTATUS(ended.wait_status); code != child_verified)
      ended.failure = page_.failure.front() != '\0'
                          ? page_.failure.data()
                          : "the child ended with " + std::to_string(code);
    return ended;
  }

  ProgressPage& page_;
  const SteadyClock::time_point started_;
  pid_t process_ = -1;
};

// One directory from its creation on, through many deaths.
class Life {
 public:
  Life(const RunPlan& plan, std::uint64_t life, RunFigures& figures)
      : plan_(plan),
        figures_(figures),
        random_(plan.seed + life * 1'000'003, "life"),
        root_(plan.folder + "/life." + std::to_string(life)),
        life_(life) {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
    if (plan.mode != Mode::kill) {
      child_.power_journal = root_ + ".journal";
      child_.power = power_.get();
      power_->sync_delay_us = random_.chance(0.5) ? random_.below(600) : 0;
    }
    child_.engine = plan.engine;
    child_.options = draw_options();
    child_.durability = plan.durability;
    child_.root = root_;
    child_.seed = random_.next();
    child_.batch_ends = &batch_ends_;
    batch_ends_.push_back(true);
  }

  static std::uint64_t rounds_of(const RunPlan& plan, std::uint64_t life) {
    SeededRandom random(plan.seed + life * 1'000'003, "rounds");
    return static_cast<std::uint64_t>(random.between(2, rounds_of_a_life_max));
  }

  // Ends early after a failure, which then stands in the figures, or when there is no going on.
  void live(std::uint64_t rounds) {
    for (std::uint64_t round = 1; round <= rounds; ++round) {
      if (!run_round(round)) return;
      ++figures_.rounds;
    }
    if (verify_at_the_end(rounds + 1)) remove_files();
  }

 private:
  void remove_files() {
    std::filesystem::remove_all(root_);
    std::filesystem::remove(root_ + ".journal");
  }

  EngineOptions draw_options() {
    EngineOptions options;
    if (plan_.engine.find("memory") != std::string::npos && random_.chance(0.3))
      options["native_merge"] = "false";
    // Tables and compactions within a few rounds.
    if (plan_.engine.find("rocksdb") != std::string::npos && random_.chance(0.6)) {
      options["write_buffer_size"] = random_.chance(0.5) ? "64KiB" : "200KiB";
      options["level0_file_num_compaction_trigger"] = "2";
      options["max_bytes_for_level_base"] = "256KiB";
    }
    // It sets whole files of its log aside, which the image of the disk holds in memory.
    if (plan_.engine.find("wiredtiger") != std::string::npos)
      options["log.file_max"] = random_.chance(0.5) ? "128KiB" : "1MiB";
    return options;
  }

  KillPoint draw_kill_point() {
    KillPoint point;
    point.in_open = random_.chance(0.15);
    if (point.in_open) {
      point.after = Microseconds(random_.between(0, open_time_.count() * 5 / 4));
    } else {
      // Mostly few, so that a round is short and many happen close to an open.
      point.numbers = random_.below(random_.below(numbers_of_a_round_max) + 1);
      point.after = Microseconds(random_.between(0, 1000));
    }
    return point;
  }

  bool run_round(std::uint64_t round) {
    const Shared<ProgressPage> page;
    child_.page = page.get();
    child_.round = round;
    child_.streams = static_cast<std::size_t>(random_.between(1, 8));
    const KillPoint point = draw_kill_point();
    if (plan_.mode == Mode::survive)
      power_->early_share =
          static_cast<std::uint32_t>(random_.chance(0.5) ? random_.below(20000) : 0);
    const auto started = SteadyClock::now();
    // So that a child that dies early leaves no journal but an empty one.
    if (plan_.mode != Mode::kill) std::ofstream(child_.power_journal, std::ios::trunc);
    Child child(child_);
    const Ended ended = child.kill_at(point, plan_.durability == Durability::none);
    if (!ended.killed_by_us) return report(round, *page, ended);
    if (!point.in_open) learn_open_time(started);
    if (ended.in_open) ++figures_.killed_in_open;
    take_over(*page, round);
    if (Ended cut{.failure = cut_power()}; !cut.failure.empty()) return report(round, *page, cut);
    return ended.failure.empty() || report(round, *page, ended);
  }

  // What is wrong with it; empty: the directory is now as a loss of power leaves it.
  std::string cut_power() {
    if (plan_.mode == Mode::kill) return {};
    if (power_->unknown_calls != 0) return "a call that the model of the disk does not know";
    const bool survives = plan_.mode == Mode::survive;
    const double share = survives ? draw_share() : 0;
    Status status = survives ? image_.lose_power(child_.power_journal, root_, random_, share)
                             : image_.lose_power(child_.power_journal);
    if (status.is_ok()) status = image_.write_to(root_);
    return status.is_ok() ? std::string() : status.to_string();
  }

  double draw_share() {
    constexpr double shares[] = {0.05, 0.5, 0.9, 0.99};
    return shares[random_.below(std::size(shares))];
  }

  bool verify_at_the_end(std::uint64_t round) {
    const Shared<ProgressPage> page;
    child_.page = page.get();
    child_.round = round;
    child_.only_verify = true;
    const Ended ended = Child(child_).wait_for_end();
    if (!ended.failure.empty()) return report(round, *page, ended);
    count_losses(page->recovered.load());
    return true;
  }

  void learn_open_time(SteadyClock::time_point started) {
    // Writing a round takes about as long as opening; what matters is to hit both.
    const auto took = std::chrono::duration_cast<Microseconds>(SteadyClock::now() - started) / 2;
    open_time_ = (open_time_ * 3 + took) / 4;
  }

  // What the next round must find.
  void take_over(const ProgressPage& page, std::uint64_t round) {
    const Number recovered = page.recovered.load();
    if (recovered == ProgressPage::none) return;
    count_losses(recovered);
    const Number first = page.first.load();
    child_.timeline.take_over(first, round);
    child_.issued = page.issued.load();
    batch_ends_.resize(recovered + 1);
    for (Number n = recovered + 1; n <= child_.issued; ++n)
      batch_ends_.push_back(page.is_batch_end(n - recovered));
    // The one that was dropped half stands as it was issued in an earlier round.
    const Number acknowledged = page.acknowledged.load();
    if (acknowledged != 0) {
      figures_.acknowledged += acknowledged - recovered;
      acknowledged_ = acknowledged;
    }
    figures_.batches += page.batches.load();
    figures_.syncs += page.syncs.load();
    figures_.checkpoints += page.checkpoints.load();
    if (!promises(plan_.durability, plan_.mode)) return;
    // What an open has shown counts like what was acknowledged: others may have seen it.
    child_.floor = std::max(recovered, acknowledged);
    if (acknowledged != 0) child_.floor_sequence = page.acknowledged_sequence.load();
  }

  void count_losses(Number recovered) {
    if (recovered < acknowledged_) {
      ++figures_.rounds_with_losses;
      figures_.lost += acknowledged_ - recovered;
    }
    acknowledged_ = recovered;
  }

  // False: this life is over.
  bool report(std::uint64_t round, const ProgressPage&, const Ended& ended) {
    const bool refused =
        WIFEXITED(ended.wait_status) && WEXITSTATUS(ended.wait_status) == child_refused_as_corrupt;
    if (refused && !promises(plan_.durability, plan_.mode) && plan_.mode == Mode::survive) {
      ++figures_.refused_as_corrupt;
      remove_files();
      return false;
    }
    figures_.failure = std::string(plan_.engine) + ", class " +
                       std::string(durability_name(plan_.durability)) + ", " +
                       std::string(mode_name(plan_.mode)) + ", life " + std::to_string(life_) +
                       ", round " + std::to_string(round) + ": " + ended.failure +
                       "\n  left as it is: " + root_ + "\n  again: " + plan_.rerun + " --seed " +
                       std::to_string(plan_.seed) + " --life " + std::to_string(life_);
    return false;
  }

  const RunPlan& plan_;
  RunFigures& figures_;
  SeededRandom random_;
  const std::string root_;
  const std::uint64_t life_;
  ChildPlan child_;
  std::vector<bool> batch_ends_;
  DurableImage image_;
  const Shared<PowerPage> power_;
  Number acknowledged_ = 0;
  Microseconds open_time_{10'000};
};

}  // namespace

namespace {

// WiredTiger measures the machine's clock for a while, once in each process: here, so that not
// every child has to. All its threads end when it is closed, so the forks find none.
Status warm_up(const std::string& engine, const std::string& folder) {
  if (engine.find("wiredtiger") == std::string::npos) return ok_status();
  auto made = make_engine_stack(registry(), engine);
  if (!made) return made.error();
  RW_TRY((*made)->open({.path = "warm_up",
                        .options = {},
                        .durability = Durability::os,
                        .policy = workload_policy(),
                        .disk = make_posix_disk(folder)}));
  return (*made)->close();
}

}  // namespace

bool promises(Durability durability, Mode mode) {
  return mode == Mode::kill || durability == Durability::disk;
}

std::string_view mode_name(Mode mode) {
  switch (mode) {
    case Mode::kill:
      return "kill";
    case Mode::power:
      return "power";
    case Mode::survive:
      return "survive";
  }
  return "kill";
}

RunFigures run_rounds(const RunPlan& plan) {
  RunFigures figures;
  // Loaded before the forks, so that no child has to.
  if (const auto made = make_engine_stack(registry(), plan.engine); !made) {
    figures.failure = made.error().to_string();
    return figures;
  }
  // The power disk compares paths, so there must be one way to each file.
  std::error_code error;
  std::filesystem::create_directories(plan.folder, error);
  RunPlan own = plan;
  own.folder = std::filesystem::canonical(plan.folder, error).string();
  if (error) {
    figures.failure = "cannot create '" + plan.folder + "': " + error.message();
    return figures;
  }
  if (const Status warm = warm_up(own.engine, own.folder); !warm.is_ok()) {
    figures.failure = warm.to_string();
    return figures;
  }
  for (std::uint64_t life = plan.first_life; figures.rounds < plan.rounds; ++life) {
    std::uint64_t rounds = Life::rounds_of(plan, life);
    if (!plan.whole_lives) rounds = std::min(rounds, plan.rounds - figures.rounds);
    const std::uint64_t before = figures.rounds;
    Life(own, life, figures).live(rounds);
    if (!figures.failure.empty()) return figures;
    // One that its engine refused has had a round all the same.
    if (figures.rounds == before) ++figures.rounds;
    ++figures.lives;
    if (plan.life_passed) plan.life_passed(life, figures.rounds);
  }
  return figures;
}

}  // namespace ringwright::durability
