#include <gtest/gtest.h>
#include <poll.h>

#include <map>
#include <set>
#include <thread>

#include "replication/runtime/client_thread.h"
#include "tests/runtime/cluster_fixture.h"

namespace ringwright {
namespace {

using Answers = std::map<AsyncClient::Ticket, AsyncClient::Answer>;

class AsyncClientTest : public ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    if (!IsSkipped()) open();
  }

  std::shared_ptr<ClientThread> async_client(ClientOptions options) {
    auto made = cluster_->async_client(std::move(options));
    EXPECT_TRUE(made.has_value()) << made.error().to_string();
    return *made;
  }
  std::shared_ptr<ClientThread> async_client() { return async_client(cluster_->client_options()); }

  // Collects, whenever the descriptor says so, until all of them have their answer.
  static Answers collect(ClientThread& client, const std::set<AsyncClient::Ticket>& wanted) {
    Answers found;
    while (found.size() < wanted.size()) {
      pollfd watched{client.descriptor(), POLLIN, 0};
      EXPECT_EQ(::poll(&watched, 1, 20'000), 1) << "no answer in 20 s";
      if (watched.revents == 0) break;
      for (AsyncClient::Answer& answer : client.collect()) {
        EXPECT_TRUE(wanted.contains(answer.ticket));
        EXPECT_TRUE(found.emplace(answer.ticket, std::move(answer)).second) << "answered twice";
      }
    }
    return found;
  }
  template <typename T>
  static ClientResult<T> collect_one(ClientThread& client, AsyncClient::Ticket ticket) {
    Answers found = collect(client, {ticket});
    return std::get<ClientResult<T>>(std::move(found.at(ticket).result));
  }
  static GetOptions get_as(std::uint64_t session) {
    GetOptions options;
    options.session = session;
    return options;
  }
  static PutOptions put_as(std::uint64_t session) {
    PutOptions options;
    options.session = session;
    return options;
  }
};

TEST_P(AsyncClientTest, reads_what_it_wrote) {
  const auto client = async_client();
  AsyncClient& calls = client->client();
  ASSERT_OK(collect_one<Written>(*client, calls.put("k", "v", put_as(1))));
  const auto read = collect_one<Read>(*client, calls.get("k", get_as(1)));
  ASSERT_OK(read);
  EXPECT_EQ(values(*read), std::vector<std::string>{"v"});
  ASSERT_OK(collect_one<Written>(*client, calls.remove("k", put_as(1))));
  const auto gone = collect_one<Read>(*client, calls.get("k", get_as(1)));
  ASSERT_OK(gone);
  EXPECT_TRUE(gone->siblings.empty());
}

TEST_P(AsyncClientTest, answers_every_call_once_however_many_there_are) {
  const auto client = async_client();
  AsyncClient& calls = client->client();
  std::set<AsyncClient::Ticket> tickets;
  for (int i = 0; i < 5000; ++i) tickets.insert(calls.put(std::to_string(i), "v", put_as(1)));
  ASSERT_EQ(tickets.size(), 5000U);
  for (const auto& [ticket, answer] : collect(*client, tickets))
    EXPECT_OK(std::get<ClientResult<Written>>(answer.result));
  EXPECT_TRUE(client->collect().empty());
}

TEST_P(AsyncClientTest, takes_calls_from_many_threads) {
  const auto client = async_client();
  std::mutex mutex;
  std::set<AsyncClient::Ticket> tickets;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 500; ++i) {
        const auto ticket = client->client().put(std::to_string(thread * 1000 + i), "v",
                                                 put_as(static_cast<std::uint64_t>(thread) + 1));
        const std::lock_guard lock(mutex);
        tickets.insert(ticket);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(collect(*client, tickets).size(), 2000U);
}

// What a session has not seen it does not replace, whoever has seen it.
TEST_P(AsyncClientTest, remembers_a_read_only_when_it_was_noted) {
  PutOptions fresh;
  fresh.context = Bytes{};
  ASSERT_OK(client()->put("k", "old", fresh));
  const auto client = async_client();
  AsyncClient& calls = client->client();
  const auto unseen = collect_one<Read>(*client, calls.get("k", get_as(1)));
  ASSERT_OK(unseen);
  EXPECT_TRUE(calls.remembered_context("k", {}, 1).empty());
  ASSERT_OK(collect_one<Written>(*client, calls.put("k", "new", put_as(1))));
  const auto both = collect_one<Read>(*client, calls.get("k", get_as(1)));
  ASSERT_OK(both);
  EXPECT_EQ(values(*both), (std::vector<std::string>{"new", "old"}));
  calls.note_read("k", {}, 1, both->context);
  EXPECT_FALSE(calls.remembered_context("k", {}, 1).empty());
  ASSERT_OK(collect_one<Written>(*client, calls.put("k", "one", put_as(1))));
  const auto one = collect_one<Read>(*client, calls.get("k", get_as(2)));
  ASSERT_OK(one);
  EXPECT_EQ(values(*one), std::vector<std::string>{"one"});
}

TEST_P(AsyncClientTest, reads_before_it_writes_when_asked) {
  PutOptions fresh;
  fresh.context = Bytes{};
  ASSERT_OK(client()->put("k", "a", fresh));
  ASSERT_OK(client()->put("k", "b", fresh));
  const auto client = async_client();
  PutOptions replacing = put_as(1);
  replacing.read_first = true;
  ASSERT_OK(collect_one<Written>(*client, client->client().put("k", "c", replacing)));
  const auto read = collect_one<Read>(*client, client->client().get("k", get_as(1)));
  ASSERT_OK(read);
  EXPECT_EQ(values(*read), std::vector<std::string>{"c"});
}

TEST_P(AsyncClientTest, a_call_ends_at_its_own_deadline) {
  const auto client = async_client();
  for (const std::string& node : cluster_->node_names()) ASSERT_TRUE(cluster_->pause(node).is_ok());
  GetOptions late = get_as(1);
  late.timeout = seconds(20);
  GetOptions soon = get_as(1);
  soon.timeout = milliseconds(50);
  const auto slow = client->client().get("k", late);
  const auto quick = collect_one<Read>(*client, client->client().get("k", soon));
  ASSERT_FALSE(quick.has_value());
  EXPECT_EQ(quick.error().code, Code::timed_out);
  EXPECT_EQ(quick.error().outcome, Outcome::failed);
  for (const std::string& node : cluster_->node_names())
    ASSERT_TRUE(cluster_->resume(node).is_ok());
  ASSERT_OK(collect_one<Read>(*client, slow));
}

TEST_P(AsyncClientTest, asks_another_replica_when_one_is_gone) {
  const auto client = async_client();
  ASSERT_TRUE(cluster_->kill("node2").is_ok());
  std::set<AsyncClient::Ticket> tickets;
  for (int i = 0; i < 100; ++i)
    tickets.insert(client->client().put(std::to_string(i), "v", put_as(1)));
  for (const auto& [ticket, answer] : collect(*client, tickets))
    EXPECT_OK(std::get<ClientResult<Written>>(answer.result));
}

TEST_P(AsyncClientTest, refuses_at_once_what_cannot_be_sent) {
  const auto client = async_client();
  GetOptions elsewhere = get_as(1);
  elsewhere.keyspace = "defualt";
  const auto read = collect_one<Read>(*client, client->client().get("k", elsewhere));
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, Code::invalid);
  EXPECT_NE(read.error().message.find("did you mean 'default'"), std::string::npos);
}

// Everything is answered, and what was sent is unknown.
TEST_P(AsyncClientTest, close_ends_all_calls) {
  const auto client = async_client();
  ASSERT_OK(collect_one<Written>(*client, client->client().put("k", "v", put_as(1))));
  for (const std::string& node : cluster_->node_names()) ASSERT_TRUE(cluster_->pause(node).is_ok());
  std::set<AsyncClient::Ticket> tickets;
  for (int i = 0; i < 10; ++i) tickets.insert(client->client().put("k", "w", put_as(1)));
  // Both hands of the second one must be ended: the read that it begins with writes nothing.
  const auto removal = client->client().remove("k", put_as(1));
  tickets.insert(removal);
  client->close();
  client->close();
  const Answers found = collect(*client, tickets);
  ASSERT_EQ(found.size(), tickets.size());
  for (const auto& [ticket, answer] : found) {
    const auto& written = std::get<ClientResult<Written>>(answer.result);
    ASSERT_FALSE(written.has_value());
    EXPECT_EQ(written.error().code, Code::closed);
    if (ticket == removal) {
      EXPECT_EQ(written.error().outcome, Outcome::failed);
    }
  }
  EXPECT_TRUE(client->client().is_closed());
  const auto late = collect_one<Read>(*client, client->client().get("k", get_as(1)));
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, Code::closed);
  for (const std::string& node : cluster_->node_names())
    ASSERT_TRUE(cluster_->resume(node).is_ok());
}

TEST_P(AsyncClientTest, is_closed_with_its_cluster) {
  const auto client = async_client();
  cluster_->close();
  const auto read = collect_one<Read>(*client, client->client().get("k", get_as(1)));
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, Code::closed);
}

TEST_P(AsyncClientTest, is_dropped_with_calls_under_way) {
  for (int i = 0; i < 20; ++i) {
    const auto client = async_client();
    for (int call = 0; call < 20; ++call) client->client().put("k", "v", put_as(1));
  }
}

INSTANTIATE_TEST_SUITE_P(Memory, AsyncClientTest,
                         ::testing::Values(Variant{"memory", 1}, Variant{"memory", 2}),
                         variant_name);

}  // namespace
}  // namespace ringwright
