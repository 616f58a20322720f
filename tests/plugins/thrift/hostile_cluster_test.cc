#include <gtest/gtest.h>

#include <random>

#include "replication/runtime/cluster.h"
#include "tests/plugins/thrift/node_harness.h"

namespace ringwright::wire {
namespace {

// Three real nodes, one of whose clients works while others say anything to every port.
class HostileClusterTest : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Shards, HostileClusterTest, ::testing::Values(1, 2));

TEST_P(HostileClusterTest, ClientsAndNodesNoticeNothingOfNoise) {
  Settings settings;
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, std::string>>{
           {"keyspace.default.engine", "memory"},
           {"node.shards", std::to_string(GetParam())},
           {"transport.kind", "thrift"},
           {"client.timeout", "10s"}})
    ASSERT_TRUE(settings.set(name, value).is_ok()) << name;
  auto made = Cluster::local(settings);
  ASSERT_TRUE(made.has_value()) << made.error().to_string();
  Cluster& cluster = **made;
  const auto client = *cluster.client();
  std::atomic<bool> is_over = false;
  std::thread noise([&] {
    std::mt19937_64 random(12);
    std::vector<std::unique_ptr<RawConnection>> held;
    while (!is_over) {
      for (const MemberAddress& member : cluster.map()->addresses) {
        for (const std::string& address : {member.client, member.peer}) {
          held.push_back(std::make_unique<RawConnection>(*SocketAddress::resolve(address)));
          Bytes bytes;
          for (std::size_t i = random() % 300; i > 0; --i)
            bytes.push_back(static_cast<char>(random()));
          if (random() % 2 == 0) bytes = framed("\x80" + bytes);
          if (random() % 3 == 0) bytes = get_frame(bytes, 1) + bytes;
          held.back()->send_some(bytes);
        }
      }
      if (held.size() > 200) held.clear();
    }
  });
  for (int i = 0; i < 300; ++i) {
    const Bytes key = "key" + std::to_string(i);
    const auto put = client->put(key, "value" + std::to_string(i));
    ASSERT_TRUE(put.has_value()) << put.error().message;
    const auto read = client->get(key);
    ASSERT_TRUE(read.has_value()) << read.error().message;
    ASSERT_EQ(read->siblings.size(), 1u);
    EXPECT_EQ(read->siblings[0].value, "value" + std::to_string(i));
  }
  is_over = true;
  noise.join();
  // No node lost sight of another one.
  for (const NodeStatus& status : cluster.status())
    for (const auto& [name, state] : status.members) EXPECT_EQ(state, MemberState::alive) << name;
  cluster.close();
}

}  // namespace
}  // namespace ringwright::wire
