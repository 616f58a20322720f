// The simulated world itself: what its disk, its network and its queue promise the swarm.

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "replication/simulation/event_queue.h"
#include "replication/simulation/simulated_disk.h"
#include "replication/simulation/simulated_network.h"
#include "replication/simulation/world.h"

namespace ringwright {
namespace {

TEST(EventQueue, RunsInOrderOfTimeThenOfScheduling) {
  EventQueue queue;
  std::string order;
  queue.at(20, [&] { order += 'c'; });
  queue.at(10, [&] {
    order += 'a';
    queue.at(5, [&] { order += 'b'; });  // has passed: now
  });
  queue.at(20, [&] { order += 'd'; });
  queue.run_until(15);
  EXPECT_EQ(order, "ab");
  EXPECT_EQ(queue.now(), 15);
  queue.run_until(30);
  EXPECT_EQ(order, "abcd");
}

TEST(SimulatedDisk, ProcessDeathKeepsAllThatWasAppended) {
  SimulatedDisk disk(SeededRandom(1, "disk"));
  auto mount = disk.mount();
  auto file = mount->open_append("a");
  ASSERT_TRUE(file.has_value());
  ASSERT_TRUE((*file)->append("one").is_ok());
  auto lock = mount->lock("dir");
  ASSERT_TRUE(lock.has_value());
  EXPECT_EQ(disk.mount()->lock("dir").status().code(), Code::locked);
  disk.end_mounts();
  EXPECT_FALSE((*file)->append("two").is_ok());
  EXPECT_EQ(*disk.mount()->read("a"), "one");
  auto again = disk.mount()->lock("dir");
  ASSERT_TRUE(again.has_value());
  lock->reset();  // the dead process's lock must not release the living one's
  EXPECT_EQ(disk.mount()->lock("dir").status().code(), Code::locked);
}

TEST(SimulatedDisk, PowerCutKeepsWhatWasSyncedAndAPrefixOfTheRest) {
  std::set<Bytes> left;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SimulatedDisk disk(SeededRandom(seed, "disk"));
    auto file = disk.mount()->open_append("a");
    ASSERT_TRUE((*file)->append("synced.").is_ok());
    ASSERT_TRUE((*file)->sync().is_ok());
    ASSERT_TRUE((*file)->append("bc").is_ok());
    ASSERT_TRUE((*file)->append("de").is_ok());
    disk.power_cut();
    const Bytes kept = *disk.mount()->read("a");
    ASSERT_TRUE(Bytes("synced.bcde").starts_with(kept)) << kept;
    ASSERT_GE(kept.size(), 7U);
    left.insert(kept);
    disk.power_cut();
    EXPECT_EQ(*disk.mount()->read("a"), kept);  // what was found after a restart stays
  }
  EXPECT_EQ(left.size(), 5U);  // nothing, a torn byte, one append, and so on
}

TEST(SimulatedDisk, AFailedSyncCanDropThePagesForGood) {
  SimulatedDisk disk(SeededRandom(3, "disk"), true);
  auto file = disk.mount()->open_append("a");
  ASSERT_TRUE((*file)->append("lost").is_ok());
  disk.fail_next(DiskFault::sync_fails);
  EXPECT_EQ((*file)->sync().code(), Code::io_error);
  EXPECT_FALSE((*file)->append("x").is_ok());
  auto reopened = disk.mount()->open_append("a");
  EXPECT_TRUE((*reopened)->sync().is_ok());  // a success that proves nothing
  EXPECT_EQ(disk.unsynced_bytes(), 4U);
  EXPECT_EQ(disk.fired(DiskFault::sync_fails), 1U);
}

TEST(SimulatedDisk, BackupAndWipe) {
  SimulatedDisk disk(SeededRandom(3, "disk"));
  ASSERT_TRUE(disk.mount()->replace("d/a", "1").is_ok());
  const DiskImage backup = disk.image();
  ASSERT_TRUE(disk.mount()->replace("d/b", "2").is_ok());
  EXPECT_EQ(disk.mount()->list("d")->size(), 2U);
  disk.wipe();
  EXPECT_FALSE(*disk.mount()->exists("d/a"));
  disk.restore(backup);
  EXPECT_EQ(*disk.mount()->list("d"), std::vector<std::string>{"a"});
}

class NetworkTest : public testing::Test {
 protected:
  void SetUp() override {
    network.attach(2, [this](const Envelope& envelope) {
      arrived.push_back(std::get<GetRequest>(envelope.message).operation);
    });
  }
  void send(OperationId operation) {
    GetRequest request;
    request.operation = operation;
    request.key = "k";
    network.send({1, 2, 0, request});
  }

  EventQueue queue;
  Trace trace;
  SimulatedNetwork network{queue, trace, {}, SeededRandom(1, "network")};
  std::vector<OperationId> arrived;
};

TEST_F(NetworkTest, CutsAreOfOneDirection) {
  network.cut(2, 1);
  send(1);
  network.cut(1, 2);
  send(2);
  network.mend_all();
  send(3);
  queue.run_until(seconds(1));
  std::sort(arrived.begin(), arrived.end());
  EXPECT_EQ(arrived, (std::vector<OperationId>{1, 3}));
}

TEST_F(NetworkTest, RulesHoldDropAndCount) {
  MessageRule hold;
  hold.type = "GetRequest";
  hold.target = 2;
  hold.skip = 1;
  hold.count = 1;
  const RuleId held = network.add_rule(hold);
  for (OperationId operation = 1; operation <= 3; ++operation) {
    send(operation);
    queue.run_until(queue.now() + seconds(1));
  }
  EXPECT_EQ(arrived, (std::vector<OperationId>{1, 3}));
  EXPECT_EQ(network.matched(held), 1U);
  network.release(held);
  queue.run_until(queue.now() + seconds(1));
  EXPECT_EQ(arrived, (std::vector<OperationId>{1, 3, 2}));
  hold.action = MessageRule::Action::drop;
  hold.skip = 0;
  network.add_rule(hold);
  send(4);
  queue.run_until(queue.now() + seconds(1));
  EXPECT_EQ(arrived.size(), 3U);
}

TEST_F(NetworkTest, WhoSendsToNobodyMayBeTold) {
  network.settings().refusal = 1;
  std::vector<Endpoint> refused;
  network.attach(
      1, [](const Envelope&) {}, [&](Endpoint target) { refused.push_back(target); });
  network.detach(2);
  send(1);
  queue.run_until(seconds(1));
  EXPECT_EQ(refused, std::vector<Endpoint>{2});
}

TEST(Simulation, AWriteSurvivesAPowerCutOfAllNodes) {
  SimulationOptions options;
  options.seed = 11;
  options.nodes = 3;
  Simulation world(options);
  world.run_for(seconds(1));
  ASSERT_EQ(world.put(0, "key", "value").outcome, Outcome::ok);
  for (NodeIndex node = 0; node < 3; ++node) world.power_cut(node);
  EXPECT_FALSE(world.is_up(0));
  for (NodeIndex node = 0; node < 3; ++node) ASSERT_TRUE(world.restart(node).is_ok());
  OperationResult read;
  for (int tried = 0; tried < 50 && read.outcome != Outcome::ok; ++tried) {
    world.run_for(milliseconds(500));
    read = world.get(1, "key");
  }
  ASSERT_EQ(read.siblings.size(), 1U);
  EXPECT_EQ(read.siblings[0].value, "value");
  ASSERT_TRUE(world.stored_row(1, "key").has_value());
  EXPECT_EQ(world.history().size(), world.history().back().id);
}

TEST(Simulation, ACloneAnswersBesideItsOriginal) {
  SimulationOptions options;
  options.seed = 12;
  options.nodes = 3;
  Simulation world(options);
  world.run_for(seconds(1));
  const NodeIndex clone = world.clone(0);
  EXPECT_EQ(clone, 3U);
  EXPECT_NE(world.endpoint_of(clone), world.endpoint_of(0));
  world.run_for(seconds(1));
  EXPECT_EQ(world.put(clone, "key", "by the clone").outcome, Outcome::ok);
  EXPECT_EQ(world.put(0, "key", "by the original").outcome, Outcome::ok);
  world.crash(clone);
  EXPECT_EQ(world.get(1, "key").siblings.size(), 2U);
}

}  // namespace
}  // namespace ringwright
