#include "plugins/wiredtiger/session_gate.h"

#include <gtest/gtest.h>

#include <future>
#include <optional>
#include <thread>
#include <vector>

#include "tests/plugins/wiredtiger/wiredtiger_test_support.h"

namespace ringwright {
namespace {

class SessionGateTest : public WiredtigerTest {
 protected:
  SessionGateTest() {
    store_.directory = Directory(disk_, "engine");
    store_.options = *make_wiredtiger_options(context_.options, Durability::os);
    store_.ballast = std::make_shared<Ballast>(disk_->real_path("ballast"), 0);
    auto lock = store_.directory.claim();
    RW_CHECK(lock.has_value());
    auto connection = Connection::open(store_.options, store_, *lock);
    RW_CHECK(connection.has_value());
    connection_ = *connection;
  }

  NativeSession* session_in(SessionGate::Call& call) {
    int error = 0;
    NativeSession* const session = call.session(connection_->sessions(), error);
    EXPECT_EQ(error, 0);
    return session;
  }

  // Whether it was let in; reads what only changes while nobody is inside.
  bool work(const std::uint64_t& counted) {
    SessionGate::Call call(gate_);
    if (!call) return false;
    EXPECT_LE(counted, 100u);
    NativeSession* const session = session_in(call);
    if (session != nullptr) session->has_transaction = !session->has_transaction;
    return true;
  }

  Store store_;
  std::shared_ptr<Connection> connection_;
  SessionGate gate_;
};

TEST_F(SessionGateTest, shut_within_a_deadline_says_whether_all_are_out) {
  EXPECT_FALSE(SessionGate::Call(gate_));
  gate_.open();
  std::optional<SessionGate::Call> inside(std::in_place, gate_);
  ASSERT_TRUE(*inside);
  EXPECT_FALSE(gate_.shut_within(milliseconds(1)));
  EXPECT_FALSE(SessionGate::Call(gate_)) << "it is shut all the same";
  inside.reset();
  EXPECT_TRUE(gate_.shut_within(milliseconds(1)));
  gate_.open();
  EXPECT_TRUE(SessionGate::Call(gate_));
}

TEST_F(SessionGateTest, a_thread_gets_back_its_session_unless_somebody_took_it_along) {
  gate_.open();
  NativeSession* mine = nullptr;
  {
    SessionGate::Call call(gate_);
    mine = session_in(call);
    ASSERT_NE(mine, nullptr);
    EXPECT_EQ(session_in(call), mine);
    // As a second thread that shares the slot.
    SessionGate::Call other(gate_);
    ASSERT_TRUE(other);
    EXPECT_NE(session_in(other), mine);
    EXPECT_FALSE(gate_.shut_within(milliseconds(1)));
    gate_.open();
  }
  SessionPool::Lease lease;
  {
    SessionGate::Call call(gate_);
    EXPECT_EQ(session_in(call), mine);
    int error = 0;
    lease = call.take_along(connection_->sessions(), error);
    ASSERT_TRUE(lease);
  }
  EXPECT_TRUE(gate_.shut_within(milliseconds(1))) << "it is not inside any more";
  gate_.open();
  SessionGate::Call call(gate_);
  EXPECT_NE(session_in(call), mine);
}

TEST_F(SessionGateTest, one_that_shares_a_slot_is_waited_for_too) {
  gate_.open();
  std::optional<SessionGate::Call> first(std::in_place, gate_);
  std::optional<SessionGate::Call> second(std::in_place, gate_);
  ASSERT_TRUE(*second);
  session_in(*second);
  first.reset();
  EXPECT_FALSE(gate_.shut_within(milliseconds(1)));
  second.reset();
  EXPECT_TRUE(gate_.shut_within(milliseconds(1)));
}

// What calls do inside is seen by whoever has shut the gate, and the reverse.
TEST_F(SessionGateTest, nobody_is_inside_once_it_is_shut) {
  std::uint64_t counted = 0;  // written only by who has shut the gate
  std::atomic<bool> done{false};
  std::vector<std::thread> callers;
  for (int t = 0; t < 3; ++t) {
    std::promise<void> has_number;
    callers.emplace_back([&, told = &has_number] {
      thread_number();
      told->set_value();
      while (!done)
        if (!work(counted)) std::this_thread::yield();
    });
    has_number.get_future().wait();
    // The next one shares its slot, whatever their number is.
    if (t == 0)
      for (int i = 1; i < 32; ++i) std::thread([] { thread_number(); }).join();
  }
  for (int round = 0; round < 100; ++round) {
    gate_.open();
    std::this_thread::yield();
    while (!gate_.shut_within(milliseconds(100))) continue;
    ++counted;
    if (round % 10 == 0) gate_.forget_sessions();
  }
  done = true;
  for (auto& caller : callers) caller.join();
}

}  // namespace
}  // namespace ringwright
