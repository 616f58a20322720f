#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <mutex>

#include "replication/runtime/temporary_directory.h"
#include "replication/version/context.h"
#include "tests/runtime/cluster_fixture.h"

namespace ringwright {
namespace {

class BasicsTest : public ClusterTest {};

TEST_P(BasicsTest, PutGetRemove) {
  open();
  const auto client = this->client();
  EXPECT_TRUE(client->get("a")->siblings.empty());
  const auto put = client->put("a", "1");
  ASSERT_OK(put);
  EXPECT_FALSE(put->context.empty());
  EXPECT_FALSE(put->request.empty());
  const auto read = client->get("a");
  ASSERT_OK(read);
  EXPECT_EQ(values(*read), std::vector<std::string>{"1"});
  ASSERT_OK(client->put("a", "2"));
  EXPECT_EQ(values(*client->get("a")), std::vector<std::string>{"2"});
  ASSERT_OK(client->remove("a"));
  const auto gone = client->get("a");
  ASSERT_OK(gone);
  EXPECT_TRUE(gone->siblings.empty());
  EXPECT_FALSE(gone->context.empty());
}

TEST_P(BasicsTest, EveryNodeTakesEveryRequest) {
  set("cluster.nodes", "5");
  open();
  for (const std::string& node : cluster_->node_names()) {
    const auto client = client_of(node);
    for (int i = 0; i < 20; ++i) {
      const std::string key = node + "/" + std::to_string(i);
      ASSERT_OK(client->put(key, key));
    }
  }
  const auto client = this->client();
  for (const std::string& node : cluster_->node_names())
    for (int i = 0; i < 20; ++i) {
      const std::string key = node + "/" + std::to_string(i);
      EXPECT_EQ(values(*client->get(key)), std::vector<std::string>{key});
    }
}

TEST_P(BasicsTest, AnswersOfAnAbsentKeyCarryAContext) {
  open();
  const auto read = client()->get("never");
  ASSERT_OK(read);
  const auto context = decode_context(read->context);
  ASSERT_TRUE(context.has_value());
  EXPECT_TRUE(check_context(*context, "default", "never").is_ok());
}

TEST_P(BasicsTest, AContextOfAnotherKeyIsInvalid) {
  open();
  const auto client = this->client();
  ASSERT_OK(client->put("a", "1"));
  PutOptions options;
  options.context = client->get("a")->context;
  const auto refused = client->put("b", "2", options);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::invalid);
  EXPECT_EQ(refused.error().outcome, Outcome::failed);
  EXPECT_FALSE(refused.error().retryable);
}

TEST_P(BasicsTest, AKeyOverTheLimitIsInvalid) {
  open();
  const auto refused = client()->put(std::string(limits::key_bytes_max + 1, 'k'), "1");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::invalid);
  EXPECT_OK(client()->put(std::string(limits::key_bytes_max, 'k'), "1"));
}

TEST_P(BasicsTest, LevelsPerRequest) {
  open();
  const auto client = this->client();
  PutOptions put;
  GetOptions get;
  for (const char* level : {"ONE", "TWO", "THREE", "QUORUM", "ALL", "1", "3"}) {
    put.w = *parse_level(level);
    get.r = *parse_level(level);
    EXPECT_OK(client->put("a", level, put));
    EXPECT_OK(client->get("a", get));
  }
  get.r = {4};
  const auto refused = client->get("a", get);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::invalid);
}

TEST_P(BasicsTest, ManyKeysPipelined) {
  open();
  const auto client = this->client();
  std::vector<PutItem> items;
  std::vector<Bytes> keys;
  for (int i = 0; i < 500; ++i) {
    keys.push_back("key" + std::to_string(i));
    items.push_back({keys.back(), "value" + std::to_string(i), std::nullopt});
  }
  items.push_back({std::string(limits::key_bytes_max + 1, 'k'), "", std::nullopt});
  const auto written = client->put_many(items);
  ASSERT_EQ(written.size(), items.size());
  for (std::size_t i = 0; i < keys.size(); ++i) EXPECT_OK(written[i]);
  ASSERT_FALSE(written.back().has_value());
  EXPECT_EQ(written.back().error().code, Code::invalid);
  const auto read = client->get_many(keys);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    ASSERT_OK(read[i]);
    EXPECT_EQ(values(*read[i]), std::vector<std::string>{items[i].value});
  }
}

TEST_P(BasicsTest, OneClientDoesNotConflictWithItself) {
  open();
  const auto client = this->client();
  for (int i = 0; i < 10; ++i) ASSERT_OK(client->put("a", std::to_string(i)));
  EXPECT_EQ(values(*client->get("a")), std::vector<std::string>{"9"});
}

TEST_P(BasicsTest, BlindPutsOfTwoClientsAreSiblings) {
  open();
  ASSERT_OK(client()->put("a", "1"));
  ASSERT_OK(client()->put("a", "2"));
  EXPECT_EQ(values(*client()->get("a")), (std::vector<std::string>{"1", "2"}));
}

// What a put returns covers what its client has seen, not all that the coordinator has.
TEST_P(BasicsTest, APutCoversNothingThatItsClientHasNotSeen) {
  open();
  ASSERT_OK(client()->put("a", "of another"));
  const auto client = this->client();
  ASSERT_OK(client->put("a", "first"));
  ASSERT_OK(client->put("a", "second"));
  EXPECT_EQ(values(*client->get("a")), (std::vector<std::string>{"of another", "second"}));
}

TEST_P(BasicsTest, APutThatReadsFirstReplacesWhatIsThere) {
  open();
  ASSERT_OK(client()->put("a", "1"));
  PutOptions options;
  options.read_first = true;
  ASSERT_OK(client()->put("a", "2", options));
  EXPECT_EQ(values(*client()->get("a")), std::vector<std::string>{"2"});
}

TEST_P(BasicsTest, SessionsDoNotShareTheirReads) {
  open();
  ASSERT_OK(client()->put("a", "1"));
  const auto client = this->client();
  GetOptions get;
  get.session = 7;
  ASSERT_OK(client->get("a", get));
  PutOptions put;
  put.session = 8;
  ASSERT_OK(client->put("a", "blind", put));
  EXPECT_EQ(values(*this->client()->get("a")), (std::vector<std::string>{"1", "blind"}));
  put.session = 7;
  ASSERT_OK(client->put("a", "seen", put));
  EXPECT_EQ(values(*this->client()->get("a")), std::vector<std::string>{"seen"});
}

TEST_P(BasicsTest, TheClientsResolverSeesSiblings) {
  open();
  ASSERT_OK(client()->put("a", "1"));
  ASSERT_OK(client()->put("a", "2"));
  ClientOptions options = cluster_->client_options();
  options.resolver = [](ByteView, std::vector<ShownSibling> siblings) {
    std::sort(siblings.begin(), siblings.end(),
              [](const auto& left, const auto& right) { return left.value < right.value; });
    siblings.front().value += "+" + siblings.back().value;
    siblings.resize(1);
    return siblings;
  };
  const auto client = *cluster_->client(options);
  const auto read = client->get("a");
  ASSERT_OK(read);
  EXPECT_TRUE(read->resolved);
  EXPECT_EQ(values(*read), std::vector<std::string>{"1+2"});
  ASSERT_OK(client->put("a", read->siblings.front().value));
  EXPECT_EQ(values(*this->client()->get("a")), std::vector<std::string>{"1+2"});
}

TEST_P(BasicsTest, ManyThreadsShareAClient) {
  open();
  const auto client = this->client();
  constexpr int threads = 8;
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string key = std::to_string(t) + "/" + std::to_string(i);
        EXPECT_OK(client->put(key, key));
        const auto read = client->get(key);
        EXPECT_OK(read);
        if (!read) continue;
        EXPECT_EQ(values(*read), std::vector<std::string>{key});
      }
    });
  }
  for (auto& worker : workers) worker.join();
}

TEST_P(BasicsTest, CallsAfterCloseAnswerClosed) {
  open();
  const auto client = this->client();
  ASSERT_OK(client->put("a", "1"));
  client->close();
  client->close();
  EXPECT_TRUE(client->is_closed());
  EXPECT_EQ(client->get("a").error().code, Code::closed);
  const auto put = client->put("a", "2");
  EXPECT_EQ(put.error().code, Code::closed);
  EXPECT_EQ(put.error().outcome, Outcome::failed);

  const auto other = this->client();
  cluster_->close();
  cluster_->close();
  EXPECT_EQ(other->get("a").error().code, Code::closed);
  EXPECT_EQ(cluster_->client().error().code(), Code::closed);
  EXPECT_EQ(cluster_->restart("node1").code(), Code::closed);
}

TEST_P(BasicsTest, CloseEndsCallsInProgress) {
  open();
  const auto client = client_of("node1");
  ASSERT_TRUE(cluster_->pause("node1").is_ok());
  std::atomic<int> answered = 0;
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([&] {
      const auto put = client->put("a", "1");
      EXPECT_FALSE(put.has_value());
      EXPECT_EQ(put.error().code, Code::closed);
      ++answered;
    });
  }
  client->close();
  for (auto& worker : workers) worker.join();
  EXPECT_EQ(answered, 4);
}

TEST_P(BasicsTest, StatusAndPlacement) {
  open();
  ASSERT_OK(client()->put("a", "1"));
  const auto placed = cluster_->preference_list("default", "a");
  ASSERT_TRUE(placed.has_value());
  EXPECT_EQ(placed->size(), 3U);
  for (const Placement& placement : *placed) {
    EXPECT_TRUE(placement.up);
    EXPECT_EQ(placement.role, Role::primary);
  }
  const auto status = cluster_->status("node2");
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->condition, NodeCondition::up);
  EXPECT_EQ(status->members.size(), 3U);
  EXPECT_EQ(status->engines.size(), 2U);
  const std::vector<std::string> engines = engines_of(GetParam());
  EXPECT_EQ(status->engines[0].engine, engines[engines.size() > 1 ? 1 : 0]);
  // The put needed two of three nodes, and this one may have slept until now.
  EXPECT_TRUE(comes_true([&] {
    const auto later = cluster_->status("node2");
    return later && later->counters.at("ringwright_loop_wake_ups_total") > 0;
  }));
  EXPECT_EQ(cluster_->status("nod2").status().code(), Code::invalid);
  EXPECT_EQ(cluster_->status().size(), 3U);
}

INSTANTIATE_TEST_SUITE_P(, BasicsTest,
                         ::testing::Values(Variant{"memory", 1}, Variant{"memory", 2},
                                           Variant{"rocksdb", 1}, Variant{"rocksdb", 2},
                                           Variant{"rocksdb_and_memory", 1},
                                           Variant{"rocksdb_and_wiredtiger_and_memory", 2},
                                           Variant{"memory", 1, "thrift"},
                                           Variant{"memory", 2, "thrift"}),
                         variant_name);

class FailureTest : public ClusterTest {};

TEST_P(FailureTest, TheCartStory) {
  set("cluster.nodes", "4");
  set("keyspace.default.n", "3");
  open();
  ASSERT_OK(client()->put("cart", "milk"));
  ASSERT_TRUE(cluster_->partition({{"node1", "node2"}, {"node3", "node4"}}).is_ok());
  for (const char* left : {"node1", "node2"})
    ASSERT_TRUE(comes_true([&] { return sees_suspects(left, {"node3", "node4"}); }));
  for (const char* right : {"node3", "node4"})
    ASSERT_TRUE(comes_true([&] { return sees_suspects(right, {"node1", "node2"}); }));
  const auto ann = client_of("node1");
  const auto bob = client_of("node3");
  PutOptions options;
  options.w = {2};
  ASSERT_OK(ann->get("cart"));
  ASSERT_OK(bob->get("cart"));
  ASSERT_OK(ann->put("cart", "milk, bread", options));
  ASSERT_OK(bob->put("cart", "milk, eggs", options));
  EXPECT_EQ(values(*ann->get("cart")), std::vector<std::string>{"milk, bread"});
  cluster_->heal();
  ASSERT_TRUE(comes_true([&] {
    const auto read = ann->get("cart");
    return read && values(*read) == std::vector<std::string>{"milk, bread", "milk, eggs"};
  }));
  ASSERT_OK(ann->put("cart", "milk, bread, eggs"));
  ASSERT_TRUE(comes_true([&] {
    const auto read = bob->get("cart");
    return read && values(*read) == std::vector<std::string>{"milk, bread, eggs"};
  }));
}

TEST_P(FailureTest, AKilledNodeKeepsItsData) {
  set("cluster.nodes", "1");
  open();
  ASSERT_OK(client()->put("a", "1"));
  const auto client = this->client();
  ASSERT_TRUE(cluster_->kill("node1").is_ok());
  EXPECT_EQ(cluster_->status("node1")->condition, NodeCondition::killed);
  const auto refused = client->get("a");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::unavailable);
  const auto refused_put = client->put("a", "2");
  EXPECT_EQ(refused_put.error().code, Code::unavailable);
  EXPECT_EQ(refused_put.error().outcome, Outcome::failed);
  ASSERT_EQ(cluster_->restart("node1"), ok_status());
  ASSERT_TRUE(comes_true([&] { return client->get("a").has_value(); }));
  EXPECT_EQ(values(*client->get("a")), std::vector<std::string>{"1"});
}

TEST_P(FailureTest, AStoppedNodeComesBack) {
  open();
  const auto client = this->client();
  ASSERT_OK(client->put("a", "1"));
  for (const std::string& node : cluster_->node_names()) {
    ASSERT_TRUE(cluster_->stop(node).is_ok());
    ASSERT_TRUE(comes_true([&] { return client->put("a", node).has_value(); }));
    ASSERT_EQ(cluster_->restart(node), ok_status());
    for (const std::string& other : cluster_->node_names())
      ASSERT_TRUE(comes_true([&] { return sees_suspects(other, {}); }));
  }
  EXPECT_EQ(values(*client->get("a")), std::vector<std::string>{"node3"});
}

TEST_P(FailureTest, AcknowledgedWritesSurviveAKillInTheMiddle) {
  open();
  std::atomic<bool> stop = false;
  std::mutex mutex;
  std::map<std::string, std::string> acknowledged;
  std::vector<std::thread> workers;
  for (int t = 0; t < 4; ++t) {
    workers.emplace_back([&, t] {
      const auto client = this->client();
      for (int i = 0; !stop; ++i) {
        const std::string key = std::to_string(t) + "/" + std::to_string(i);
        if (!client->put(key, key)) continue;
        const std::lock_guard lock(mutex);
        acknowledged[key] = key;
      }
    });
  }
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return acknowledged.size();
  };
  EXPECT_TRUE(comes_true([&] { return count() > 200; }));
  for (const char* node : {"node2", "node1"}) {
    EXPECT_TRUE(cluster_->kill(node).is_ok());
    const std::size_t before = count();
    EXPECT_TRUE(comes_true([&] { return count() > before + 200; }));
    EXPECT_EQ(cluster_->restart(node), ok_status());
    for (const std::string& other : cluster_->node_names())
      EXPECT_TRUE(comes_true([&] { return sees_suspects(other, {}); }));
  }
  stop = true;
  for (auto& worker : workers) worker.join();
  const auto client = this->client();
  for (const auto& [key, value] : acknowledged) {
    const auto read = client->get(key);
    ASSERT_OK(read);
    ASSERT_EQ(values(*read), std::vector<std::string>{value}) << key;
  }
}

TEST_P(FailureTest, TooFewReplicasNamesRequiredAndAlive) {
  open();
  const auto client = this->client();
  ASSERT_TRUE(cluster_->kill("node3").is_ok());
  for (const char* node : {"node1", "node2"})
    ASSERT_TRUE(comes_true([&] { return sees_suspects(node, {"node3"}); }));
  PutOptions options;
  options.w = {Level::all};
  const auto refused = client->put("a", "1", options);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::unavailable) << text(refused.error());
  EXPECT_EQ(refused.error().outcome, Outcome::failed);
  EXPECT_EQ(refused.error().required, 3U);
  EXPECT_EQ(refused.error().received, 2U);
  EXPECT_TRUE(refused.error().retryable);
  EXPECT_OK(client->put("a", "1"));
}

TEST_P(FailureTest, APutWithoutAnswersIsUnknown) {
  set("membership.suspect_after", "60s");
  open();
  const auto client = client_of("node1");
  for (const char* node : {"node2", "node3"}) ASSERT_TRUE(cluster_->cut("node1", node).is_ok());
  PutOptions options;
  options.timeout = milliseconds(100);
  // Where the machine is slow the client gives up before the node's own word has come.
  EXPECT_TRUE(comes_true([&] {
    const auto put = client->put("a", "1", options);
    if (put.has_value()) return false;
    EXPECT_EQ(put.error().code, Code::timed_out);
    EXPECT_EQ(put.error().outcome, Outcome::unknown);
    return put.error().required == 2 && put.error().received == 1;
  }));
  cluster_->heal();
  EXPECT_OK(client->put("a", "2"));
}

TEST_P(FailureTest, ASlowLinkIsOnlySlow) {
  open();
  ASSERT_TRUE(cluster_->delay("node1", "node2", milliseconds(20)).is_ok());
  ASSERT_TRUE(cluster_->delay("node1", "node3", milliseconds(20)).is_ok());
  const auto start = std::chrono::steady_clock::now();
  EXPECT_OK(client_of("node1")->put("a", "1"));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(20));
}

TEST_P(FailureTest, APausedNodeIsSilentAndThenCatchesUp) {
  open();
  ASSERT_TRUE(cluster_->pause("node2").is_ok());
  EXPECT_EQ(cluster_->status("node2")->condition, NodeCondition::paused);
  for (const char* node : {"node1", "node3"})
    ASSERT_TRUE(comes_true([&] { return sees_suspects(node, {"node2"}); }));
  EXPECT_OK(client_of("node1")->put("a", "1"));
  ASSERT_TRUE(cluster_->resume("node2").is_ok());
  for (const char* node : {"node1", "node3"})
    ASSERT_TRUE(comes_true([&] { return sees_suspects(node, {}); }));
  ASSERT_TRUE(comes_true([&] {
    const auto read = client_of("node2")->get("a");
    return read && values(*read) == std::vector<std::string>{"1"};
  }));
}

INSTANTIATE_TEST_SUITE_P(, FailureTest,
                         ::testing::Values(Variant{"memory", 1}, Variant{"memory", 2},
                                           Variant{"rocksdb", 1}, Variant{"rocksdb", 2},
                                           Variant{"rocksdb_and_memory", 1},
                                           Variant{"rocksdb_and_wiredtiger_and_memory", 2},
                                           Variant{"memory", 1, "thrift"},
                                           Variant{"memory", 2, "thrift"}),
                         variant_name);

class DirectoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = TemporaryDirectory::make("ringwright-test-");
    ASSERT_TRUE(made.has_value());
    directory_ = std::move(*made);
    ASSERT_TRUE(settings_.set("node.data_dir", directory_->path()).is_ok());
  }

  Status refusal(const std::string& assignment = "") {
    Settings changed = settings_;
    if (!assignment.empty()) {
      EXPECT_TRUE(changed.set(assignment).is_ok());
    }
    return Cluster::local(changed).status();
  }

  Settings settings_;
  std::unique_ptr<TemporaryDirectory> directory_;
};

TEST_F(DirectoryTest, DataOutliveTheCluster) {
  NodeId id;
  {
    const auto cluster = Cluster::local(settings_);
    ASSERT_TRUE(cluster.has_value()) << cluster.error().to_string();
    ASSERT_OK((*(*cluster)->client())->put("a", "1"));
    id = (*cluster)->status("node1")->id;
  }
  const auto cluster = Cluster::local(settings_);
  ASSERT_TRUE(cluster.has_value()) << cluster.error().to_string();
  EXPECT_EQ((*cluster)->status("node1")->id, id);
  EXPECT_EQ(values(*(*(*cluster)->client())->get("a")), std::vector<std::string>{"1"});
}

TEST_F(DirectoryTest, ADirectoryInUseIsLocked) {
  const auto cluster = Cluster::local(settings_);
  ASSERT_TRUE(cluster.has_value());
  const Status refused = refusal();
  EXPECT_EQ(refused.code(), Code::locked) << refused.to_string();
  EXPECT_NE(refused.message().find("process "), std::string::npos) << refused.message();
}

TEST_F(DirectoryTest, WhatDoesNotFitIsAMismatch) {
  ASSERT_TRUE(Cluster::local(settings_).has_value());
  for (const char* assignment :
       {"keyspace.default.engine=null", "keyspace.default.resolver=lww", "cluster.name=other"}) {
    const Status refused = refusal(assignment);
    EXPECT_EQ(refused.code(), Code::mismatch) << assignment << ": " << refused.to_string();
    EXPECT_NE(refused.message().find("or choose another directory"), std::string::npos);
  }
  EXPECT_TRUE(refusal("keyspace.more.n=1").is_ok());
  EXPECT_TRUE(refusal().is_ok());
}

TEST_F(DirectoryTest, ATemporaryDirectoryIsGoneAfterClose) {
  auto cluster = Cluster::local(Settings());
  ASSERT_TRUE(cluster.has_value());
  const std::string directory = (*cluster)->directory();
  EXPECT_TRUE(std::filesystem::exists(directory));
  (*cluster)->close();
  EXPECT_FALSE(std::filesystem::exists(directory));
}

TEST_F(DirectoryTest, WrongSettingsAreInvalid) {
  for (const char* assignment :
       {"keyspace.default.engine=memori", "keyspace.default.resolver=vector_clok",
        "keyspace.default.r=4", "keyspace.default.w=4", "keyspace.default.n=4",
        "transport.kind=pigeon"}) {
    const Status refused = refusal(assignment);
    EXPECT_EQ(refused.code(), Code::invalid) << assignment << ": " << refused.to_string();
  }
  EXPECT_NE(refusal("keyspace.default.engine=memori").message().find("'memory'"),
            std::string::npos);
}

}  // namespace
}  // namespace ringwright
