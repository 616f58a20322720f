#include "tests/durability/disk_trouble.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
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

class DiskTrouble : public testing::TestWithParam<std::string> {
 protected:
  DiskTrouble() {
    EXPECT_TRUE(make_engine_stack(registry(), GetParam()).has_value());
    std::filesystem::create_directory(folder_.path() + "/root");
    plan_.engine = GetParam();
    plan_.round = 1;
    plan_.root = std::filesystem::canonical(folder_.path() + "/root").string();
    plan_.power_journal = folder_.path() + "/journal";
    plan_.power = power_.get();
    plan_.timeline.take_over(1, 1);
  }

  // WiredTiger takes the room for a log at once, and then needs none for long.
  void small_logs() {
    if (GetParam() == "wiredtiger") plan_.options["log.file_max"] = "100KiB";
  }

  // In class `none` an engine needs the disk only for what it moves there by itself.
  std::vector<Durability> classes() const {
    if (plan_.options.contains("write_buffer_size"))
      return {Durability::none, Durability::os, Durability::disk};
    return {Durability::os, Durability::disk};
  }

  void fill_disks(Filling filling = Filling::in_sight) {
    fill_disks([&] { run_on_a_full_disk(plan_, *figures_, filling); });
  }

  void fill_disks(const std::function<void()>& program) {
    for (const Durability durability : classes()) {
      for (std::uint64_t seed = 1; seed <= 2; ++seed) {
        SCOPED_TRACE("class " + std::string(durability_name(durability)) + ", seed " +
                     std::to_string(seed));
        const Shared<ProgressPage> page;
        std::filesystem::remove_all(plan_.root);
        std::filesystem::create_directory(plan_.root);
        power_->budget_bytes = PowerPage::no_budget;
        power_->hides_budget = false;
        plan_.page = page.get();
        plan_.seed = seed;
        plan_.durability = durability;
        ASSERT_EQ(child_verdict(*page, program), "");
        lose_power_and_verify(*page);
      }
    }
  }

  // Takes the power away, then opens and verifies; the number that was found.
  Number lose_power_and_verify(const ProgressPage& page) {
    DurableImage image;
    const Status lost = image.lose_power(plan_.power_journal);
    EXPECT_TRUE(lost.is_ok()) << lost.to_string();
    EXPECT_TRUE(image.write_to(plan_.root).is_ok());
    std::vector<bool> batch_ends(page.issued + 1, true);
    const Shared<ProgressPage> verified;
    ChildPlan plan = plan_;
    plan.page = verified.get();
    plan.power_journal.clear();
    plan.only_verify = true;
    plan.floor = plan.durability == Durability::disk ? page.acknowledged.load() : 0;
    plan.issued = page.issued;
    plan.batch_ends = &batch_ends;
    EXPECT_EQ(child_verdict(*verified, [&] { run_child(plan); }), "");
    return verified->recovered;
  }

  const TemporaryFolder folder_;
  const Shared<PowerPage> power_;
  const Shared<TroubleFigures> figures_;
  ChildPlan plan_;
};

TEST_P(DiskTrouble, AFullDiskRefusesWithoutEffectAndGoesOnWhenThereIsRoom) {
  fill_disks();
  EXPECT_GT(figures_->refused, figures_->cycles);
  RecordProperty("longest_wait_ms", static_cast<int>(figures_->longest_wait_ms));
}

TEST_P(DiskTrouble, AFullDiskInTheMiddleOfManySmallTables) {
  if (GetParam() != "rocksdb") GTEST_SKIP() << "it has no such option";
  plan_.options["write_buffer_size"] = "100KiB";
  fill_disks();
}

// No engine can keep room ahead here.
TEST_P(DiskTrouble, ADiskThatIsFullAllAtOnce) {
  small_logs();
  fill_disks(Filling::unseen);
  EXPECT_GT(figures_->refused, figures_->cycles);
}

TEST_P(DiskTrouble, ADiskThatIsFullAllAtOnceInTheMiddleOfManySmallTables) {
  if (GetParam() != "rocksdb") GTEST_SKIP() << "it has no such option";
  plan_.options["write_buffer_size"] = "100KiB";
  fill_disks(Filling::unseen);
}

TEST_P(DiskTrouble, ADiskThatStaysFullUntilTheEnd) {
  small_logs();
  if (GetParam() == "rocksdb") plan_.options["write_buffer_size"] = "100KiB";
  fill_disks([&] { run_to_a_full_end(plan_, *figures_); });
}

TEST_P(DiskTrouble, FlushesAndTheCloseWaitForNoCompactionThatLacksRoom) {
  if (GetParam() != "rocksdb") GTEST_SKIP() << "it has no such options";
  plan_.options["write_buffer_size"] = "100KiB";
  plan_.options["compression"] = "kNoCompression";
  plan_.options["level0_file_num_compaction_trigger"] = "2";
  plan_.options["level0_slowdown_writes_trigger"] = "4";
  plan_.options["level0_stop_writes_trigger"] = "100";
  plan_.seed = 1;
  for (const Durability durability : classes()) {
    SCOPED_TRACE(durability_name(durability));
    const Shared<ProgressPage> page;
    std::filesystem::remove_all(plan_.root);
    std::filesystem::create_directory(plan_.root);
    power_->budget_bytes = PowerPage::no_budget;
    plan_.page = page.get();
    plan_.durability = durability;
    ASSERT_EQ(child_verdict(*page, [&] { run_behind_compactions(plan_, *figures_); }), "");
  }
}

TEST_P(DiskTrouble, AFullDiskHoldsUpNoOtherEngine) {
  small_logs();
  if (GetParam() == "rocksdb") plan_.options["write_buffer_size"] = "100KiB";
  const std::string elsewhere = folder_.path() + "/elsewhere";
  fill_disks([&] {
    std::filesystem::remove_all(elsewhere);
    std::filesystem::create_directory(elsewhere);
    run_beside_another_engine(plan_, *figures_, elsewhere);
  });
}

TEST_P(DiskTrouble, AFullDiskUnderIteratorsThatOverlap) {
  small_logs();
  if (GetParam() == "rocksdb") plan_.options["write_buffer_size"] = "100KiB";
  fill_disks([&] { run_under_iterators(plan_, *figures_); });
}

TEST_P(DiskTrouble, FullDisksUnderMoreAndMoreIterators) {
  if (GetParam() != "rocksdb") GTEST_SKIP() << "it is not opened anew";
  plan_.options["write_buffer_size"] = "100KiB";
  const Shared<ProgressPage> page;
  plan_.page = page.get();
  plan_.seed = 1;
  plan_.durability = Durability::disk;
  ASSERT_EQ(child_verdict(*page, [&] { run_with_iterators_that_stay(plan_, *figures_); }), "");
  // Four may stay. Not every full disk needs an open.
  EXPECT_GT(figures_->iterators_in_the_way, 0u);
  EXPECT_LE(figures_->iterators_in_the_way, 2u);
  lose_power_and_verify(*page);
}

TEST_P(DiskTrouble, AFailedSyncIsTheLastAndNothingAcknowledgedIsLost) {
  std::uint64_t failed = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Shared<ProgressPage> page;
    std::filesystem::remove_all(plan_.root);
    std::filesystem::create_directory(plan_.root);
    figures_->sync_failed = false;
    figures_->write_failed = false;
    power_->fail_sync_in = 0;
    plan_.page = page.get();
    plan_.seed = seed;
    plan_.durability = Durability::disk;
    if (GetParam() == "rocksdb" && seed % 2 == 0) plan_.options["write_buffer_size"] = "100KiB";
    ASSERT_EQ(child_verdict(*page, [&] { run_with_a_failed_sync(plan_, *figures_); }), "");
    EXPECT_GE(lose_power_and_verify(*page), page->acknowledged);
    if (figures_->sync_failed) ++failed;
  }
  EXPECT_GT(failed, 0u);
}

INSTANTIATE_TEST_SUITE_P(Engines, DiskTrouble, testing::ValuesIn(durable_engines()),
                         engine_test_name);

}  // namespace
}  // namespace ringwright::durability
