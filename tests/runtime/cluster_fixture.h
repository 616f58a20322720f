#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "engine/storage_engine.h"
#include "replication/runtime/cluster.h"
#include "replication/runtime/parts.h"
#include "replication/transport/transport_factory.h"

namespace ringwright {

struct Variant {
  std::string engine;
  int shards;
  std::string transport = "loopback";
};
inline std::ostream& operator<<(std::ostream& out, const Variant& variant) {
  return out << variant.engine << "_" << variant.shards << "_" << variant.transport;
}
inline std::string variant_name(const ::testing::TestParamInfo<Variant>& tested) {
  return tested.param.engine + "_" + std::to_string(tested.param.shards) + "_shards_" +
         tested.param.transport;
}

// Whether the condition came true within ten seconds; it is looked at every millisecond.
inline bool comes_true(const std::function<bool()>& condition) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

inline std::vector<std::string> values(const Read& read) {
  std::vector<std::string> values;
  for (const ShownSibling& sibling : read.siblings) values.push_back(sibling.value);
  std::sort(values.begin(), values.end());
  return values;
}

// How gtest shows a status.
inline void PrintTo(const Status& status, std::ostream* out) { *out << status.to_string(); }

inline std::string text(const ClientError& error) {
  return std::string(code_name(error.code)) + ": " + error.message;
}

// Fails the test with the error where there is no value.
#define ASSERT_OK(expression)                                  \
  do {                                                         \
    const auto& checked = (expression);                        \
    ASSERT_TRUE(checked.has_value()) << text(checked.error()); \
  } while (false)
#define EXPECT_OK(expression)                                  \
  do {                                                         \
    const auto& checked = (expression);                        \
    EXPECT_TRUE(checked.has_value()) << text(checked.error()); \
  } while (false)

// A cluster of three, unless a test asks for something else.
class ClusterTest : public ::testing::TestWithParam<Variant> {
 protected:
  void SetUp() override {
    settings_ = settings_of(GetParam());
    for (const std::string& name : engines_of(GetParam())) {
      const auto engine = registry_with_parts().create<StorageEngine>(name);
      if (!engine) GTEST_SKIP() << engine.error().message();
    }
    const auto transport = registry_with_parts().create<TransportFactory>(GetParam().transport);
    if (!transport) GTEST_SKIP() << transport.error().message();
  }

  // "rocksdb_and_memory": of the first node (and those that nothing is said of), of the second, ...
  static std::vector<std::string> engines_of(const Variant& variant) {
    constexpr std::string_view separator = "_and_";
    std::vector<std::string> engines;
    std::string_view rest = variant.engine;
    for (auto at = rest.find(separator); at != rest.npos; at = rest.find(separator)) {
      engines.emplace_back(rest.substr(0, at));
      rest.remove_prefix(at + separator.size());
    }
    engines.emplace_back(rest);
    return engines;
  }

  static Settings settings_of(const Variant& variant) {
    Settings settings;
    EXPECT_TRUE(settings.set("keyspace.default.engine", engines_of(variant).front()).is_ok());
    EXPECT_TRUE(settings.set("node.shards", std::to_string(variant.shards)).is_ok());
    EXPECT_TRUE(settings.set("transport.kind", variant.transport).is_ok());
    // The tests share their machine with compilers.
    EXPECT_TRUE(settings.set("client.timeout", "10s").is_ok());
    return settings;
  }

  void set(const std::string& key, const std::string& value) {
    const Status status = settings_.set(key, value);
    ASSERT_TRUE(status.is_ok()) << status.message();
  }

  void open() {
    const std::vector<std::string> engines = engines_of(GetParam());
    for (std::size_t i = 1; i < engines.size() && i < settings_.number("cluster.nodes"); ++i)
      set("keyspace.default.engine_on.node" + std::to_string(i + 1), engines[i]);
    auto cluster = Cluster::local(settings_);
    ASSERT_TRUE(cluster.has_value()) << cluster.error().to_string();
    cluster_ = std::move(*cluster);
  }

  std::shared_ptr<Client> client() { return *cluster_->client(); }
  std::shared_ptr<Client> client_of(const std::string& node) {
    ClientOptions options = cluster_->client_options();
    options.node = node;
    return *cluster_->client(options);
  }

  // Whether `node` sees exactly these others as suspects.
  bool sees_suspects(const std::string& node, const std::vector<std::string>& suspects) {
    const auto status = cluster_->status(node);
    std::vector<std::string> seen;
    for (const auto& [name, state] : status->members)
      if (state != MemberState::alive) seen.push_back(name);
    return seen == suspects;
  }

  Settings settings_;
  std::unique_ptr<Cluster> cluster_;
};

}  // namespace ringwright
