#include "replication/runtime/engine_faults.h"

#include "engine/engine_stack.h"
#include "tests/runtime/cluster_fixture.h"

namespace ringwright {
namespace {

// A cluster whose engines are a stack of test doubles.
class EngineFaultsTest : public ::testing::Test {
 protected:
  void set(const std::string& assignment) {
    const Status status = settings_.set(assignment);
    ASSERT_TRUE(status.is_ok()) << status.message();
  }
  void open(const std::string& engine) {
    set("keyspace.default.engine=" + engine);
    auto opened = Cluster::local(settings_);
    ASSERT_TRUE(opened.has_value()) << opened.error().message();
    cluster_ = std::move(*opened);
    // Not by way of the node whose engine is disturbed.
    ClientOptions options = cluster_->client_options();
    options.node = "node2";
    client_ = *cluster_->client(options);
  }
  static PutOptions all(Nanoseconds timeout) {
    PutOptions options;
    options.w = *parse_level("all");
    options.timeout = timeout;
    return options;
  }
  const EngineStatus& engine_of(const std::string& node) {
    status_ = *cluster_->status(node);
    return status_.engines.front();
  }
  Status change(EngineFaults wanted) {
    wanted.keyspace = "default";
    return cluster_->change_engine("node1", wanted);
  }
  std::uint64_t calls(EngineCall call) { return engine_of("node1").counts.of(call).total(); }

  Settings settings_;
  std::unique_ptr<Cluster> cluster_;
  std::shared_ptr<Client> client_;
  NodeStatus status_;
};

TEST_F(EngineFaultsTest, EveryEngineIsMeteredAndCalledByItsOwnName) {
  open("memory");
  for (int i = 0; i < 20; ++i) ASSERT_OK(client_->put("k" + std::to_string(i), "value"));
  EXPECT_EQ(engine_of("node1").engine, "memory");
  EXPECT_GT(calls(EngineCall::write), 0u);
  EXPECT_GT(engine_of("node1").counts.bytes_written, 100u);
  EXPECT_EQ(status_.engines.back().keyspace, "system");
  EXPECT_GT(status_.engines.back().counts.of(EngineCall::write).total(), 0u);
}

TEST_F(EngineFaultsTest, TheMeterSeesWhatDecoratorsDo) {
  set("engine.slow.write_latency=2ms");
  open("slow(memory)");
  ASSERT_OK(client_->put("k", "value"));
  ASSERT_TRUE(comes_true([&] { return calls(EngineCall::write) >= 2; }));
  const EngineCounts::Call writes = engine_of("node1").counts.of(EngineCall::write);
  EXPECT_GE(writes.durations.sum(), 2'000'000u * writes.durations.total());
  EXPECT_GT(writes.would_block, 0u) << "a slow write is no write of the shard's thread";
}

TEST_F(EngineFaultsTest, APausedEngineHoldsAPutThatNeedsItAndNoOther) {
  open("pausable(memory)");
  ASSERT_OK(client_->put("k", "1"));
  ASSERT_EQ(change({"", true, {}}), ok_status());
  const auto refused = client_->put("k", "2", all(milliseconds(300)));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::timed_out) << text(refused.error());
  EXPECT_EQ(refused.error().outcome, Outcome::unknown);
  EXPECT_EQ(refused.error().required, 3u);
  EXPECT_EQ(refused.error().received, 2u);
  EXPECT_EQ(engine_of("node1").engine, "pausable(memory)") << "it can be watched meanwhile";
  ASSERT_OK(client_->put("k", "3"));
  ASSERT_EQ(change({"", false, {}}), ok_status());
  ASSERT_OK(client_->put("k", "4", all(seconds(10))));
}

TEST_F(EngineFaultsTest, ANodeEndsAtOnceWhateverItsEngineHolds) {
  set("engine.pausable.deadline=60s");
  set("engine.slow.write_latency=30s");
  for (const bool clean : {true, false}) {
    for (const char* const engine : {"pausable(memory)", "slow(memory)"}) {
      open(engine);
      if (*engine == 'p') {
        ASSERT_EQ(change({"", true, {}}), ok_status());
      }
      EXPECT_FALSE(client_->put("k", "1", all(milliseconds(50))).has_value());
      const auto start = std::chrono::steady_clock::now();
      const Status ended = clean ? cluster_->stop("node1") : cluster_->kill("node1");
      EXPECT_EQ(ended, ok_status());
      EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
      ASSERT_EQ(cluster_->restart("node1"), ok_status());
      cluster_->close();
    }
  }
}

TEST_F(EngineFaultsTest, FaultsAreArmedAndEndedWhileTheNodeRuns) {
  open("faulty(memory)");
  ASSERT_EQ(change({"", std::nullopt, {{"write_no_space", "1"}}}), ok_status());
  EXPECT_FALSE(client_->put("k", "1", all(milliseconds(500))).has_value());
  const auto errors = engine_of("node1").counts.of(EngineCall::write).errors;
  EXPECT_GT(errors[static_cast<std::size_t>(Code::no_space)], 0u);
  ASSERT_EQ(change({"", std::nullopt, {{"write_no_space", "0"}}}), ok_status());
  ASSERT_OK(client_->put("k", "2", all(seconds(10))));
}

TEST_F(EngineFaultsTest, SaysWhichDecoratorOrKeyspaceIsMissing) {
  open("memory");
  const auto expect = [&](const Status& status, const std::string& part) {
    EXPECT_EQ(status.code(), Code::invalid);
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  };
  expect(change({"", true, {}}), "write 'pausable(memory)'");
  expect(change({"", std::nullopt, {{"read_fails", "1"}}}), "write 'faulty(memory)'");
  expect(cluster_->change_engine("node1", {"defualt", true, {}}), "did you mean 'default'?");
  expect(cluster_->change_engine("nod1", {"default", true, {}}), "did you mean 'node1'?");
  ASSERT_EQ(cluster_->stop("node1"), ok_status());
  expect(change({"", true, {}}), "does not run");
}

TEST_F(EngineFaultsTest, StandAsTheyWereChanged) {
  auto made = make_engine_stack(registry(), "slow(pausable(faulty(memory)))");
  ASSERT_TRUE(made.has_value());
  StorageEngine& stack = **made;
  EXPECT_EQ(engine_faults_of(stack, "a"), (EngineFaults{"a", false, {}}));
  EXPECT_EQ(
      change_engine_faults(
          stack, {"a", true, {{"read_fails", "25%"}, {"sync_fails", "1"}, {"space", "1KiB"}}}),
      ok_status());
  const EngineFaults known{
      "a", true, {{"read_fails", "0.25"}, {"space", "1024"}, {"sync_fails", "1"}}};
  EXPECT_EQ(engine_faults_of(stack, "a"), known);
  EXPECT_EQ(change_engine_faults(stack, {"a", false, {{"read_fails", "2"}}}).code(), Code::invalid);
  EXPECT_EQ(engine_faults_of(stack, "a"), known) << "all or nothing";
  auto plain = make_engine_stack(registry(), "metered(memory)");
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(engine_faults_of(**plain, "a"), std::nullopt);
}

}  // namespace
}  // namespace ringwright
