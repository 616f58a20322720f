// The clock is moved by hand, and the transport within writes down what it is told: nothing here
// waits, and nothing depends on how fast the machine is.
#include <engine/registry.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "lagging_factory.h"

namespace lagging {
namespace {

using rw::Envelope;
using rw::milliseconds;

class HandClock final : public rw::Clock {
 public:
  rw::Instant now() const override { return now_; }
  std::uint64_t wall_us() const override { return 0; }
  void advance(rw::Nanoseconds by) { now_ += by; }

 private:
  rw::Instant now_ = rw::seconds(1);
};

struct Told {
  std::vector<Envelope> sent;
  std::vector<rw::Instant> polled_until;
  std::size_t wakes = 0;
  std::size_t closes = 0;
};

class TellingTransport final : public rw::Transport {
 public:
  explicit TellingTransport(Told& told) : told_(told) {}

  void poll(rw::Instant until, const Sink& sink) override {
    told_.polled_until.push_back(until);
    sink.deliver({2, 1, 7, rw::Pong{}});
    sink.unsent(41);
    sink.unreachable(3);
  }
  void send(std::vector<Envelope>& envelopes) override {
    std::move(envelopes.begin(), envelopes.end(), std::back_inserter(told_.sent));
    envelopes.clear();
  }
  void wake() override { ++told_.wakes; }
  void close() override { ++told_.closes; }
  std::vector<std::pair<std::string, std::uint64_t>> counters() const override {
    return {{"told_total", 5}};
  }

 private:
  Told& told_;
};

// A node's end of a network of one member; open and clients alike write into `told`.
class TellingFactory final : public rw::TransportFactory {
 public:
  explicit TellingFactory(Told& told) : told_(told) {}

  class Port final : public rw::NodePort {
   public:
    explicit Port(Told& told) : told_(told) {}
    rw::MemberAddress address() const override { return {"client", "peer"}; }
    rw::Result<Opened> open(const Options& options) override {
      Opened opened;
      opened.endpoints = {1};
      for (std::uint32_t shard = 0; shard < options.shards; ++shard)
        opened.transports.push_back(std::make_unique<TellingTransport>(told_));
      return opened;
    }

   private:
    Told& told_;
  };

  rw::Result<std::unique_ptr<rw::NodePort>> bind(const rw::MemberAddress&) override {
    return std::unique_ptr<rw::NodePort>(std::make_unique<Port>(told_));
  }
  rw::Result<rw::ClientPort> open_client(const ClientOptions& options) override {
    return rw::ClientPort{9, std::make_unique<TellingTransport>(told_), options.map, {1}};
  }

 private:
  Told& told_;
};

class Lagging : public testing::Test {
 protected:
  std::unique_ptr<LaggingTransport> make(const Lag& lag, const std::string& name = "test") {
    return std::make_unique<LaggingTransport>(std::make_unique<TellingTransport>(told_), lag, name,
                                              clock_);
  }
  // Where nobody cares for what arrives.
  static void poll(rw::Transport& transport, rw::Instant until = 0) {
    transport.poll(until, {[](Envelope&&) {}, [](rw::Endpoint) {}, [](rw::OperationId) {}});
  }
  static void send(rw::Transport& transport, std::vector<Envelope> envelopes) {
    transport.send(envelopes);
    EXPECT_TRUE(envelopes.empty());
  }
  static Envelope read(rw::OperationId operation, rw::Endpoint target = 2) {
    return {1, target, 11, rw::ReplicaRead{operation, "default", "key"}};
  }
  std::vector<rw::OperationId> sent() const {
    std::vector<rw::OperationId> operations;
    for (const Envelope& envelope : told_.sent)
      operations.push_back(std::get<rw::ReplicaRead>(envelope.message).operation);
    return operations;
  }
  // How long after its sending each of a hundred envelopes, each to another target, is due.
  std::vector<rw::Nanoseconds> lags(const Lag& lag, const std::string& name) {
    const auto transport = make(lag, name);
    std::vector<rw::Nanoseconds> drawn;
    for (int i = 0; i < 100; ++i) {
      send(*transport, {read(1)});
      poll(*transport, rw::never);
      drawn.push_back(told_.polled_until.back() - clock_->now());
      clock_->advance(drawn.back());
      poll(*transport);
    }
    return drawn;
  }
  std::uint64_t count(const rw::Transport& transport, const std::string& name) const {
    for (const auto& [counter, value] : transport.counters())
      if (counter == name) return value;
    ADD_FAILURE() << "there is no counter " << name;
    return 0;
  }

  Told told_;
  std::shared_ptr<HandClock> clock_ = std::make_shared<HandClock>();
};

using Operations = std::vector<rw::OperationId>;

TEST_F(Lagging, holds_an_envelope_for_the_latency_and_not_a_moment_less) {
  const auto transport = make({.latency = milliseconds(20)});
  send(*transport, {read(1)});
  clock_->advance(milliseconds(20) - 1);
  poll(*transport);
  EXPECT_EQ(sent(), Operations{});
  clock_->advance(1);
  poll(*transport);
  EXPECT_EQ(sent(), Operations{1});
  poll(*transport);
  EXPECT_EQ(sent(), Operations{1});
}

TEST_F(Lagging, sends_what_it_was_given) {
  const auto transport = make({.latency = milliseconds(20)});
  const rw::Message message = rw::ReplicaWrite{
      5, "default", "key", rw::RowKind::fallback, rw::WritePurpose::repair, "record"};
  send(*transport, {{1, 2, 11, message}});
  clock_->advance(milliseconds(20));
  poll(*transport);
  ASSERT_EQ(told_.sent.size(), 1U);
  EXPECT_EQ(told_.sent[0].source, 1U);
  EXPECT_EQ(told_.sent[0].target, 2U);
  EXPECT_EQ(told_.sent[0].stamp, 11U);
  EXPECT_EQ(told_.sent[0].message, message);
}

TEST_F(Lagging, sends_at_once_what_does_not_lag) {
  const auto prompt = make({});
  send(*prompt, {read(1)});
  EXPECT_EQ(sent(), Operations{1});
  // A node to itself.
  const auto late = make({.latency = milliseconds(20)});
  send(*late, {read(2, 1), read(3, 2)});
  EXPECT_EQ(sent(), (Operations{1, 2}));
}

TEST_F(Lagging, ends_a_wait_when_the_first_envelope_is_due) {
  const auto transport = make({.latency = milliseconds(20)});
  const rw::Instant start = clock_->now();
  poll(*transport, rw::never);
  send(*transport, {read(1, 2)});
  clock_->advance(milliseconds(5));
  send(*transport, {read(2, 3)});
  poll(*transport, rw::never);
  poll(*transport, start + milliseconds(7));
  clock_->advance(milliseconds(15));
  poll(*transport, rw::never);
  EXPECT_EQ(told_.polled_until,
            (std::vector<rw::Instant>{rw::never, start + milliseconds(20), start + milliseconds(7),
                                      start + milliseconds(25)}));
}

TEST_F(Lagging, hands_on_what_arrives_and_what_wakes_and_closes) {
  const auto transport = make({.latency = milliseconds(20)});
  std::vector<std::string> heard;
  transport->poll(
      0,
      {[&](Envelope&& envelope) { heard.push_back("stamp " + std::to_string(envelope.stamp)); },
       [&](rw::Endpoint endpoint) { heard.push_back("unreachable " + std::to_string(endpoint)); },
       [&](rw::OperationId operation) { heard.push_back("unsent " + std::to_string(operation)); }});
  EXPECT_EQ(heard, (std::vector<std::string>{"stamp 7", "unsent 41", "unreachable 3"}));
  transport->wake();
  EXPECT_EQ(told_.wakes, 1U);
  send(*transport, {read(1)});
  transport->close();
  EXPECT_EQ(told_.closes, 1U);
  clock_->advance(milliseconds(20));
  poll(*transport);
  EXPECT_EQ(sent(), Operations{});
}

TEST_F(Lagging, draws_the_jitter_as_the_seed_says) {
  const Lag lag{.latency = milliseconds(20), .jitter = milliseconds(10), .seed = 7};
  const auto drawn = lags(lag, "member 0 shard 0");
  EXPECT_EQ(drawn, lags(lag, "member 0 shard 0"));
  EXPECT_NE(drawn, lags(lag, "member 1 shard 0"));
  Lag other = lag;
  other.seed = 8;
  EXPECT_NE(drawn, lags(other, "member 0 shard 0"));
  const auto [least, most] = std::minmax_element(drawn.begin(), drawn.end());
  EXPECT_GE(*least, milliseconds(20));
  EXPECT_LE(*most, milliseconds(30));
  // Of a hundred draws some lie in the first and some in the last fifth.
  EXPECT_LT(*least, milliseconds(22));
  EXPECT_GT(*most, milliseconds(28));
}

TEST_F(Lagging, keeps_the_order_of_what_goes_to_one_target) {
  const auto transport = make({.jitter = milliseconds(10)});
  Operations operations;
  for (rw::OperationId operation = 0; operation < 100; ++operation) {
    operations.push_back(operation);
    send(*transport, {read(operation)});
  }
  EXPECT_LT(sent().size(), operations.size());
  for (int step = 0; step < 100; ++step) {
    clock_->advance(milliseconds(10) / 100);
    poll(*transport);
  }
  EXPECT_EQ(sent(), operations);
}

TEST_F(Lagging, drops_and_counts_what_is_above_the_bound_of_a_target) {
  const auto transport = make({.latency = milliseconds(20)});
  send(*transport, std::vector<Envelope>(held_max, read(1, 2)));
  send(*transport, {read(2, 2), read(3, 3)});
  EXPECT_EQ(count(*transport, "ringwright_lagging_held_total"), held_max + 1);
  EXPECT_EQ(count(*transport, "ringwright_lagging_dropped_total"), 1U);
  EXPECT_EQ(count(*transport, "told_total"), 5U);
  clock_->advance(milliseconds(20));
  poll(*transport);
  const Operations operations = sent();
  EXPECT_EQ(std::count(operations.begin(), operations.end(), 1), held_max);
  EXPECT_EQ(std::count(operations.begin(), operations.end(), 2), 0);
  EXPECT_EQ(std::count(operations.begin(), operations.end(), 3), 1);
  // There is room again.
  send(*transport, {read(4, 2)});
  EXPECT_EQ(count(*transport, "ringwright_lagging_dropped_total"), 1U);
}

class LaggingNetwork : public Lagging {
 protected:
  void SetUp() override {
    rw::registry().add<rw::TransportFactory>(
        "telling", [this] { return std::make_unique<TellingFactory>(told_); });
  }
  static std::string refusal(std::string_view options) {
    LaggingFactory factory(options);
    const auto client = factory.open_client({});
    const auto port = factory.bind({});
    EXPECT_FALSE(client);
    EXPECT_FALSE(port);
    EXPECT_EQ(port.status(), client.status());
    EXPECT_EQ(port.status().code(), rw::Code::invalid);
    return port.status().message();
  }
};

TEST_F(LaggingNetwork, makes_both_ends_late) {
  LaggingFactory factory("around=telling,latency=20ms");
  const auto port = factory.bind({});
  ASSERT_TRUE(port);
  EXPECT_EQ((*port)->address(), (rw::MemberAddress{"client", "peer"}));
  auto opened = (*port)->open({.map = nullptr, .shards = 2, .clock = clock_});
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->endpoints, std::vector<rw::Endpoint>{1});
  ASSERT_EQ(opened->transports.size(), 2U);
  auto client = factory.open_client({.map = nullptr, .clock = clock_});
  ASSERT_TRUE(client);
  EXPECT_EQ(client->endpoint, 9U);
  std::vector<rw::Transport*> ends = {opened->transports[0].get(), opened->transports[1].get(),
                                      client->transport.get()};
  for (rw::Transport* const end : ends) send(*end, {read(1)});
  clock_->advance(milliseconds(20) - 1);
  for (rw::Transport* const end : ends) poll(*end);
  EXPECT_EQ(sent(), Operations{});
  clock_->advance(1);
  for (rw::Transport* const end : ends) poll(*end);
  EXPECT_EQ(sent(), (Operations{1, 1, 1}));
}

TEST_F(LaggingNetwork, refuses_options_by_name) {
  const std::string start = std::string(options_variable) + ": ";
  EXPECT_EQ(refusal(""), start + "say how late envelopes are, such as latency=20ms");
  EXPECT_EQ(refusal("latencey=20ms"),
            start + "the transport 'lagging' has no option 'latencey'; did you mean 'latency'?");
  EXPECT_EQ(refusal("20ms"), start + "'20ms' is not of the form option=value");
  EXPECT_EQ(refusal("latency=61s"),
            start + "option latency of the transport 'lagging': '61s' is above 1m");
  EXPECT_EQ(refusal("latency=20ms,around=lagging"),
            start + "the transport 'lagging' cannot stand around itself");
  const std::string unknown = refusal("latency=20ms,around=tellin");
  EXPECT_NE(unknown.find("did you mean 'telling'?"), unknown.npos) << unknown;
}

}  // namespace
}  // namespace lagging
