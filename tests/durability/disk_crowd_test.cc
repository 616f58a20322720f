#include "tests/durability/disk_crowd.h"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "engine/engine_stack.h"
#include "engine/registry.h"
#include "tests/durability/child_verdict.h"
#include "tests/durability/durable_image.h"
#include "tests/durability/shared.h"
#include "tests/durability/test_engines.h"
#include "tests/support/temporary_disk.h"

namespace ringwright::durability {
namespace {

constexpr int runs = 2;  // of each class

// --gtest_random_seed=N begins elsewhere; a repeated test goes on.
std::uint64_t next_seed() {
  static std::uint64_t seed = static_cast<std::uint64_t>(GTEST_FLAG_GET(random_seed)) * 1000;
  return ++seed;
}

class DiskCrowd : public testing::TestWithParam<std::string> {
 protected:
  DiskCrowd() {
    EXPECT_TRUE(make_engine_stack(registry(), GetParam()).has_value());
    plan_.engine = GetParam();
    plan_.round = 1;
    plan_.root = std::filesystem::canonical(folder_.path()).string() + "/root";
    plan_.power_journal = folder_.path() + "/journal";
    // So that files are changed often.
    if (GetParam() == "rocksdb") plan_.options["write_buffer_size"] = "100KiB";
    if (GetParam() == "wiredtiger") plan_.options["log.file_max"] = "100KiB";
  }

  // In class `none` an engine needs the disk only for what it moves there by itself.
  std::vector<Durability> classes() const {
    if (GetParam() == "rocksdb") return {Durability::none, Durability::os, Durability::disk};
    return {Durability::os, Durability::disk};
  }

  void fill_disks(bool unseen) {
    for (const Durability durability : classes()) {
      for (int i = 0; i < runs; ++i) {
        plan_.seed = next_seed();
        plan_.durability = durability;
        const std::string name = "class " + std::string(durability_name(durability)) + ", seed " +
                                 std::to_string(plan_.seed);
        SCOPED_TRACE(name);
        run_and_verify(name, unseen);
        if (HasFatalFailure()) return;
      }
    }
  }

  void run_and_verify(const std::string& name, bool unseen) {
    const Shared<ProgressPage> page;
    const Shared<CrowdPage> crowd;
    const Shared<PowerPage> power;
    plan_.page = page.get();
    plan_.power = power.get();
    std::filesystem::remove_all(plan_.root);
    std::filesystem::create_directory(plan_.root);
    std::string verdict = child_verdict(*page, [&] { run_a_crowd(plan_, *crowd, unseen); });
    if (crowd->has_passed && verdict == "died of signal " + std::to_string(SIGKILL)) verdict = "";
    std::cout << name << ": " << crowd->cycles << " full disks, " << crowd->refused
              << " refusals, back after " << crowd->longest_wait_ms << " ms at most, "
              << crowd->reads << " reads (" << crowd->handed_away << " handed away), "
              << crowd->scans << " scans (" << crowd->refused_scans << " refused)" << std::endl;
    ASSERT_EQ(verdict, "");
    const Left in_files = plan_.durability == Durability::none ? Left::any : Left::all_applied;
    ASSERT_EQ(child_verdict(*page, [&] { verify_a_crowd(plan_, *crowd, in_files); }), "")
        << "after the death of the process";
    DurableImage image;
    const Status lost = image.lose_power(plan_.power_journal);
    ASSERT_TRUE(lost.is_ok()) << lost.to_string();
    ASSERT_TRUE(image.write_to(plan_.root).is_ok());
    const Left left = plan_.durability == Durability::disk ? Left::all_acknowledged : Left::any;
    ASSERT_EQ(child_verdict(*page, [&] { verify_a_crowd(plan_, *crowd, left); }), "")
        << "after a loss of power";
  }

  const TemporaryFolder folder_;
  ChildPlan plan_;
};

TEST_P(DiskCrowd, ManyThreadsOnADiskThatFillsInSight) { fill_disks(false); }

TEST_P(DiskCrowd, ManyThreadsOnADiskThatIsFullAllAtOnce) { fill_disks(true); }

// Writers are stalled until a compaction has made room, which has none itself.
TEST_P(DiskCrowd, ManyThreadsOnAFullDiskBehindCompactions) {
  if (GetParam() != "rocksdb") GTEST_SKIP() << "it has no such options";
  plan_.options["level0_file_num_compaction_trigger"] = "2";
  plan_.options["level0_slowdown_writes_trigger"] = "2";
  plan_.options["level0_stop_writes_trigger"] = "3";
  fill_disks(true);
}

INSTANTIATE_TEST_SUITE_P(Engines, DiskCrowd, testing::ValuesIn(durable_engines()),
                         engine_test_name);

}  // namespace
}  // namespace ringwright::durability
