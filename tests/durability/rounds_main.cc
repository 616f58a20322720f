#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "tests/durability/crash_rounds.h"

// Many rounds from the command line: see `usage`.

namespace {

using namespace ringwright;
using namespace ringwright::durability;

constexpr const char* usage =
    "Usage: durability_rounds [--engine NAME]... [--class none|os|disk]... "
    "[--mode kill|power|survive]...\n"
    "                         [--rounds N] [--seed S] [--life N] [--folder DIR] [--state FILE]\n"
    "Kills writing processes and verifies what their engines hold afterwards. --engine, --class "
    "and\n"
    "--mode may be repeated; by default memory and rocksdb, os and disk, kill. --state remembers\n"
    "which lives passed, so that a run that was stopped goes on. Exit: 0 all held, 1 not, 2 "
    "usage.\n";

struct Arguments {
  std::vector<std::string> engines;
  std::vector<Durability> classes;
  std::vector<Mode> modes;
  std::uint64_t rounds = 1000;
  std::uint64_t seed = 1;
  std::uint64_t life = 0;
  bool one_life = false;
  std::string folder;
  std::string state;
};

[[noreturn]] void refuse(const std::string& why) {
  std::fprintf(stderr, "durability_rounds: %s\n%s", why.c_str(), usage);
  std::exit(2);
}

std::uint64_t number(const std::string& option, const std::string& text) {
  char* end = nullptr;
  const std::uint64_t value = std::strtoull(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || text.front() == '-')
    refuse(option + " takes a number, not '" + text + "'");
  return value;
}

Mode mode_of(const std::string& name) {
  for (const Mode mode : {Mode::kill, Mode::power, Mode::survive})
    if (name == mode_name(mode)) return mode;
  refuse("--mode is kill, power or survive, not '" + name + "'");
}

Arguments parse(int count, char** words) {
  Arguments arguments;
  for (int i = 1; i < count; ++i) {
    const std::string option = words[i];
    if (option == "--help") {
      std::printf("%s", usage);
      std::exit(0);
    }
    if (i + 1 == count) refuse(option + " needs a value");
    const std::string value = words[++i];
    if (option == "--engine") {
      arguments.engines.push_back(value);
    } else if (option == "--class") {
      const auto durability = parse_durability(value);
      if (!durability) refuse(durability.error().message());
      arguments.classes.push_back(*durability);
    } else if (option == "--mode") {
      arguments.modes.push_back(mode_of(value));
    } else if (option == "--rounds") {
      arguments.rounds = number(option, value);
    } else if (option == "--seed") {
      arguments.seed = number(option, value);
    } else if (option == "--life") {
      arguments.life = number(option, value);
      arguments.one_life = true;
    } else if (option == "--folder") {
      arguments.folder = value;
    } else if (option == "--state") {
      arguments.state = value;
    } else {
      refuse("unknown option " + option);
    }
  }
  if (arguments.engines.empty()) arguments.engines = {"memory", "rocksdb"};
  if (arguments.classes.empty()) arguments.classes = {Durability::os, Durability::disk};
  if (arguments.modes.empty()) arguments.modes = {Mode::kill};
  return arguments;
}

// One line for each combination of engine, class, mode and seed: lives and rounds that passed.
class PassedLives {
 public:
  explicit PassedLives(std::string path) : path_(std::move(path)) {
    std::ifstream file(path_);
    std::string name;
    Passed passed;
    while (file >> name >> passed.lives >> passed.rounds) passed_[name] = passed;
  }
  struct Passed {
    std::uint64_t lives = 0;
    std::uint64_t rounds = 0;
  };
  Passed& of(const std::string& name) { return passed_[name]; }
  void save() const {
    if (path_.empty()) return;
    const std::string fresh = path_ + ".new";
    {
      std::ofstream file(fresh);
      for (const auto& [name, passed] : passed_)
        file << name << ' ' << passed.lives << ' ' << passed.rounds << '\n';
    }
    std::filesystem::rename(fresh, path_);
  }

 private:
  std::string path_;
  std::map<std::string, Passed> passed_;
};

bool run(const Arguments& arguments, RunPlan plan, PassedLives& state) {
  const std::string name = plan.engine + "/" + std::string(durability_name(plan.durability)) + "/" +
                           std::string(mode_name(plan.mode)) + "/" + std::to_string(plan.seed);
  PassedLives::Passed& passed = state.of(name);
  const PassedLives::Passed before = passed;
  if (arguments.one_life) {
    plan.first_life = arguments.life;
    plan.rounds = 1;
  } else {
    if (before.rounds >= arguments.rounds) {
      std::printf("%-28s passed already: %llu rounds\n", name.c_str(),
                  static_cast<unsigned long long>(before.rounds));
      return true;
    }
    plan.first_life = before.lives;
    plan.rounds = arguments.rounds - before.rounds;
    plan.life_passed = [&](std::uint64_t life, std::uint64_t rounds) {
      passed = {life + 1, before.rounds + rounds};
      state.save();
    };
  }
  plan.whole_lives = arguments.one_life;
  const auto started = std::chrono::steady_clock::now();
  const RunFigures figures = run_rounds(plan);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  const auto shown = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf(
      "%-28s rounds %llu  directories %llu  acknowledged %llu  batches %llu  syncs %llu  "
      "checkpoints %llu  killed in open %llu  rounds with losses %llu  lost %llu  corrupt %llu  "
      "%.1f s\n",
      name.c_str(), shown(figures.rounds), shown(figures.lives), shown(figures.acknowledged),
      shown(figures.batches), shown(figures.syncs), shown(figures.checkpoints),
      shown(figures.killed_in_open), shown(figures.rounds_with_losses), shown(figures.lost),
      shown(figures.refused_as_corrupt), took.count());
  if (!figures.failure.empty()) std::printf("FAILED %s\n", figures.failure.c_str());
  std::fflush(stdout);
  return figures.failure.empty();
}

}  // namespace

int main(int count, char** words) {
  const Arguments arguments = parse(count, words);
  PassedLives state(arguments.state);
  const std::string folder = arguments.folder.empty()
                                 ? (std::filesystem::temp_directory_path() / "durability").string()
                                 : arguments.folder;
  bool held = true;
  for (const std::string& engine : arguments.engines) {
    for (const Durability durability : arguments.classes) {
      for (const Mode mode : arguments.modes) {
        RunPlan plan;
        plan.engine = engine;
        plan.durability = durability;
        plan.mode = mode;
        plan.seed = arguments.seed;
        plan.folder = folder + "/" + engine + "." + std::string(durability_name(durability)) + "." +
                      std::string(mode_name(mode));
        plan.rerun = "scripts/durability --engine '" + engine + "' --class " +
                     std::string(durability_name(durability)) + " --mode " +
                     std::string(mode_name(mode));
        held = run(arguments, plan, state) && held;
      }
    }
  }
  return held ? 0 : 1;
}
