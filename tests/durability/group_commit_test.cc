#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "engine/base/limits.h"
#include "replication/runtime/cluster.h"
#include "replication/runtime/parts.h"
#include "tests/durability/power_disk.h"
#include "tests/durability/shared.h"
#include "tests/durability/test_engines.h"
#include "tests/support/temporary_disk.h"

namespace ringwright::durability {
namespace {

constexpr int threads = 32;
constexpr int puts_of_a_thread = 25;

struct Counted {
  std::atomic<std::uint64_t> puts = 0;
  std::atomic<std::uint64_t> syncs = 0;
  std::atomic<std::uint64_t> executors = 0;  // threads of the node that may block
};

std::uint64_t count_executors() {
  std::uint64_t count = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "comm");
    std::string name;
    if (std::getline(file, name) && name.ends_with("/io")) ++count;
  }
  return count;
}

// A node of its own process, whose disk needs two milliseconds for a sync.
void serve(const std::string& engine, const std::string& folder, PowerPage& power,
           Counted& counted) {
  std::filesystem::create_directory(folder + "/data");
  const std::string root = std::filesystem::canonical(folder + "/data").string();
  if (power_disk_start(root.c_str(), (folder + "/journal").c_str(), &power, 1) != 0) return;
  Settings settings;
  const bool set = settings.set("keyspace.default.engine", engine).is_ok() &&
                   settings.set("keyspace.default.durability", "disk").is_ok() &&
                   settings.set("keyspace.default.n", "1").is_ok() &&
                   settings.set("client.timeout", "60s").is_ok() &&
                   settings.set("cluster.nodes", "1").is_ok() &&
                   settings.set("node.data_dir", root).is_ok();
  if (!set) return;
  auto cluster = Cluster::local(settings);
  if (!cluster) return;
  power.sync_delay_us = 2000;
  const std::uint64_t before = power.syncs;
  std::vector<std::thread> writers;
  for (int t = 0; t < threads; ++t)
    writers.emplace_back([&, t] {
      const auto client = *(*cluster)->client();
      for (int i = 0; i < puts_of_a_thread; ++i)
        if (client->put(std::to_string(t) + "/" + std::to_string(i), "value")) ++counted.puts;
    });
  for (std::thread& writer : writers) writer.join();
  counted.syncs = power.syncs - before;
  counted.executors = count_executors();
  ::_exit(0);
}

class ClusterGroupCommit : public testing::TestWithParam<std::string> {};

TEST_P(ClusterGroupCommit, PutsOfManyClientsShareSyncsAndAFewThreads) {
  const TemporaryFolder folder;
  const Shared<PowerPage> power;
  const Shared<Counted> counted;
  ASSERT_TRUE(registry_with_parts().create<StorageEngine>(GetParam()).has_value());
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    serve(GetParam(), folder.path(), *power, *counted);
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(counted->puts, static_cast<std::uint64_t>(threads * puts_of_a_thread));
  EXPECT_GT(counted->syncs, 0u);
  EXPECT_LT(counted->syncs * 4, counted->puts) << counted->syncs << " syncs";
  EXPECT_GE(counted->executors, 1u);
  EXPECT_LE(counted->executors, limits::executor_threads);
  RecordProperty("syncs", static_cast<int>(counted->syncs));
}

INSTANTIATE_TEST_SUITE_P(Engines, ClusterGroupCommit, testing::ValuesIn(durable_engines()),
                         engine_test_name);

}  // namespace
}  // namespace ringwright::durability
