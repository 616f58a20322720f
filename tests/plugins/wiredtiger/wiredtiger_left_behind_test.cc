#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "plugins/wiredtiger/file_system.h"
#include "tests/plugins/wiredtiger/wiredtiger_test_support.h"

namespace ringwright {
namespace {

// Stops one thread in a call of WiredTiger's for a file, until it is released.
class HeldCall {
 public:
  // `file`: part of its name. Holds the first such call of any thread that `is_wanted_here` has
  // called, or of any thread at all.
  enum class Of : bool { one_thread, any_thread };
  HeldCall(std::string call, std::string file, Of of = Of::one_thread) {
    const std::lock_guard lock(mutex);
    wanted_call = std::move(call);
    wanted_file = std::move(file);
    wanted_of_any = of == Of::any_thread;
    is_armed = true;
    is_reached_ = false;
    is_released = false;
    FileSystem::watch(on_call);
  }
  ~HeldCall() {
    release();
    FileSystem::watch(nullptr);
  }
  HeldCall(const HeldCall&) = delete;
  HeldCall& operator=(const HeldCall&) = delete;

  static void is_wanted_here() { wanted_here = true; }
  bool is_reached() const {
    const std::lock_guard lock(mutex);
    return is_reached_;
  }
  void release() {
    const std::lock_guard lock(mutex);
    is_armed = false;
    is_released = true;
    changed.notify_all();
  }

 private:
  static void on_call(std::string_view call, const char* name) {
    std::unique_lock lock(mutex);
    if (!is_armed || call != wanted_call || !(wanted_of_any || wanted_here)) return;
    if (std::string_view(name).find(wanted_file) == std::string_view::npos) return;
    is_armed = false;
    is_reached_ = true;
    changed.wait(lock, [] { return is_released; });
  }

  // Static, for a call that was left behind may come here when the test is over.
  static inline std::mutex mutex;
  static inline std::condition_variable changed;
  static inline std::string wanted_call;
  static inline std::string wanted_file;
  static inline bool wanted_of_any = false;
  static inline bool is_armed = false;
  static inline bool is_reached_ = false;
  static inline bool is_released = true;
  static inline thread_local bool wanted_here = false;
};

class WiredtigerLeftBehindTest : public WiredtigerDamageTest {
 protected:
  // What the tests hold never returns, however long it is waited for.
  WiredtigerLeftBehindTest() { patience_ = milliseconds(300); }

  void TearDown() override {
    for (auto& thread : threads_) thread.join();
  }

  // The answer of a call in a thread of its own.
  template <typename Call>
  auto answer_of(Call call) {
    std::packaged_task<decltype(call())()> task(std::move(call));
    auto answer = task.get_future();
    threads_.emplace_back(std::move(task));
    return answer;
  }

  // A call that WiredTiger does not return from.
  template <typename Call>
  auto stuck_in(HeldCall& held, Call call) {
    auto answer = answer_of([call] {
      HeldCall::is_wanted_here();
      return call();
    });
    EXPECT_TRUE(eventually([&] { return held.is_reached(); }));
    return answer;
  }

  // A call that has to wait behind that one, and does.
  template <typename Call>
  auto waiting(Call call) {
    auto thread = std::make_shared<std::atomic<pid_t>>(0);
    auto answer = answer_of([call, thread] {
      thread->store(::gettid());
      return call();
    });
    EXPECT_TRUE(eventually([&] { return thread->load() != 0 && is_asleep(*thread); }));
    return answer;
  }

  static bool is_asleep(pid_t thread) {
    std::string line;
    std::getline(std::ifstream("/proc/self/task/" + std::to_string(thread) + "/stat"), line);
    const std::size_t name_end = line.rfind(')');
    return name_end != line.npos && line.substr(name_end, 3) == ") S";
  }

  // Until WiredTiger has given up. A connection that can be opened again is not the end.
  void meet_damage() { EXPECT_EQ(shown(key_of(damaged)), "corrupt"); }

  void expect_served_again() {
    EXPECT_TRUE(eventually([&] { return try_put("later", "1").is_ok(); })) << message_log();
    EXPECT_EQ(shown("later"), "1");
    EXPECT_EQ(shown(key_of(0)), Bytes(100, 'v'));
    EXPECT_LT(engine_->pressure(), 1);
  }

  template <typename Answer>
  static Answer in_time(std::future<Answer>& answer) {
    const bool is_there = answer.wait_for(std::chrono::seconds(60)) == std::future_status::ready;
    RW_CHECK(is_there);
    return answer.get();
  }

  bool says_left_behind() const { return message_log().find("left behind") != std::string::npos; }

  bool files_hold(const std::string& text) const {
    const auto files = files_starting("");
    return std::any_of(files.begin(), files.end(), [&](const auto& path) {
      std::stringstream content;
      content << std::ifstream(path, std::ios::binary).rdbuf();
      return content.str().find(text) != std::string::npos;
    });
  }

  // Whether another process can have the directory, with WiredTiger's own lock and ours. It starts
  // no thread, as nobody may who was forked from several.
  bool another_process_may_open() {
    const pid_t child = ::fork();
    if (child == 0) {
      const auto lock = disk_->lock(context_.path);
      const int file = ::open(real_file("WiredTiger.lock").c_str(), O_RDWR | O_CLOEXEC);
      struct flock region {};
      region.l_type = F_WRLCK;
      region.l_whence = SEEK_SET;
      ::_exit(lock.has_value() && ::fcntl(file, F_SETLK, &region) == 0 ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

 private:
  std::vector<std::thread> threads_;
};

TEST_F(WiredtigerLeftBehindTest, a_write_that_does_not_return_is_in_doubt_and_reaches_nothing) {
  context_.durability = Durability::disk;
  fill();
  damage_rows();
  ASSERT_EQ(open(), ok_status());
  const std::uint64_t before = put("before", "value-before");
  EXPECT_TRUE(files_hold("value-before"));
  HeldCall held("write", "WiredTigerLog.");
  auto stuck = stuck_in(held, [&] { return try_put("stuck", "value-stuck"); });
  auto waits = waiting([&] { return try_put("waits", "1"); });
  meet_damage();
  expect_served_again();
  EXPECT_TRUE(says_left_behind());
  EXPECT_EQ(in_time(waits).code(), Code::busy);

  EXPECT_EQ(shown("before"), "value-before");
  EXPECT_EQ(shown("stuck"), "absent");
  const std::uint64_t after = put("after", "1");
  EXPECT_GT(after, before);
  EXPECT_EQ(engine_->sync(after, MayBlock::yes), ok_status());

  held.release();
  EXPECT_EQ(in_time(stuck).code(), Code::in_doubt);
  EXPECT_FALSE(files_hold("value-stuck"));
  EXPECT_EQ(shown("stuck"), "absent");
  EXPECT_EQ(put("after", "2"), after + 1) << "it took no number";
  EXPECT_EQ(engine_->flush(), ok_status());
  reopen();
  EXPECT_EQ(shown("before"), "value-before");
  EXPECT_EQ(shown("after"), "2");
  EXPECT_EQ(shown("stuck"), "absent");
  EXPECT_FALSE(files_hold("value-stuck"));
}

// What it wrote was found by the recovery. It is there, but was not acknowledged in its time.
TEST_F(WiredtigerLeftBehindTest, a_write_that_returns_late_is_in_doubt_even_if_it_was_recovered) {
  fill();
  damage_rows();
  ASSERT_EQ(open(), ok_status());
  put("before", "1");
  HeldCall held("written", "WiredTigerLog.");
  auto stuck = stuck_in(held, [&] { return try_put("stuck", "value-stuck"); });
  meet_damage();
  expect_served_again();
  EXPECT_TRUE(says_left_behind());
  EXPECT_EQ(shown("stuck"), "value-stuck");
  EXPECT_TRUE(try_put("stuck", "newer").is_ok());
  held.release();
  EXPECT_EQ(in_time(stuck).code(), Code::in_doubt);
  EXPECT_EQ(shown("stuck"), "newer");
  reopen();
  EXPECT_EQ(shown("before"), "1");
  EXPECT_EQ(shown("stuck"), "newer");
}

class WiredtigerLeftSyncTest : public WiredtigerLeftBehindTest,
                               public testing::WithParamInterface<const char*> {};

// Before the file was synced, and after.
INSTANTIATE_TEST_SUITE_P(Calls, WiredtigerLeftSyncTest, testing::Values("sync", "synced"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST_P(WiredtigerLeftSyncTest, a_sync_that_does_not_return_acknowledges_nothing) {
  context_.durability = Durability::disk;
  fill();
  damage_rows();
  ASSERT_EQ(open(), ok_status());
  const std::uint64_t number = put("before", "1");
  HeldCall held(GetParam(), "WiredTigerLog.");
  auto stuck = stuck_in(held, [&] { return engine_->sync(number, MayBlock::yes); });
  auto waits = waiting([&] { return engine_->sync(number, MayBlock::yes); });
  meet_damage();
  expect_served_again();
  EXPECT_TRUE(says_left_behind());
  EXPECT_EQ(in_time(waits).code(), Code::busy);
  const std::uint64_t after = put("after", "1");
  held.release();
  EXPECT_EQ(in_time(stuck).code(), Code::busy);
  EXPECT_EQ(engine_->sync(after, MayBlock::no).code(), Code::would_block);
  EXPECT_EQ(engine_->sync(after, MayBlock::yes), ok_status()) << "its failure was not this one's";
}

// It only takes long.
TEST_F(WiredtigerLeftBehindTest, a_read_that_takes_long_is_left_and_answers_all_the_same) {
  fill();
  damage_rows();
  ASSERT_EQ(open(), ok_status());
  const Bytes far_key = key_of(damaged / 4);
  HeldCall held("read", "rows.wt");
  auto slow = stuck_in(held, [&] { return shown(far_key); });
  meet_damage();
  expect_served_again();
  EXPECT_TRUE(says_left_behind());
  held.release();
  const std::string answer = in_time(slow);
  EXPECT_TRUE(answer == Bytes(100, 'v') || answer == "busy") << answer;
  EXPECT_EQ(shown(far_key), Bytes(100, 'v')) << "it is not taken for damaged";
  EXPECT_EQ(engine_->stats().damaged.size(), 1u);
}

TEST_F(WiredtigerLeftBehindTest, a_checkpoint_of_its_own_that_does_not_return_is_left) {
  context_.options["checkpoint"] = "(wait=0,log_size=1KiB)";
  fill();
  damage_rows();
  ASSERT_EQ(open(), ok_status());
  HeldCall held("write", "rows.wt", HeldCall::Of::any_thread);
  EXPECT_TRUE(eventually([&] {
    put("much", Bytes(2000, 'm'));
    return held.is_reached();
  }));
  meet_damage();
  expect_served_again();
  EXPECT_TRUE(says_left_behind());
  held.release();
  const std::string log = message_log();
  EXPECT_TRUE(eventually([&] {
    put("much", Bytes(2000, 'm'));
    return message_log().find("done", log.size()) != std::string::npos;
  })) << "no more checkpoints";
}

TEST_F(WiredtigerLeftBehindTest, a_close_of_the_connection_that_does_not_return_is_left) {
  fill();
  damage_rows();
  ASSERT_EQ(open(), ok_status());
  put("before", "1");
  HeldCall held("close", "rows.wt", HeldCall::Of::any_thread);
  meet_damage();
  expect_served_again();
  EXPECT_TRUE(held.is_reached());
  EXPECT_TRUE(says_left_behind());
  EXPECT_EQ(shown("before"), "1");
  held.release();
  reopen();
  EXPECT_EQ(shown("before"), "1");
  EXPECT_EQ(shown("later"), "1");
  ASSERT_EQ(engine_->close(), ok_status());
  EXPECT_TRUE(another_process_may_open());
}

TEST_F(WiredtigerLeftBehindTest, close_returns_under_a_call_that_does_not) {
  patience_ = seconds(3);
  fill();
  damage_rows();
  ASSERT_EQ(open(), ok_status());
  put("before", "1");
  HeldCall held("write", "WiredTigerLog.");
  auto stuck = stuck_in(held, [&] { return try_put("stuck", "value-stuck"); });
  meet_damage();
  auto closing = answer_of([&] { return engine_->close(); });
  EXPECT_EQ(in_time(closing), ok_status());
  EXPECT_EQ(shown("before"), "closed");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(engine_->close(), ok_status());
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::nanoseconds(patience_))
      << "it has waited again";
  EXPECT_TRUE(another_process_may_open());

  // The engine is gone, and the call is not.
  const Status opened = open();
  ASSERT_TRUE(opened.is_ok()) << opened.to_string();
  EXPECT_EQ(shown("before"), "1");
  put("later", "1");
  held.release();
  EXPECT_EQ(in_time(stuck).code(), Code::in_doubt);
  EXPECT_EQ(shown("stuck"), "absent");
  reopen();
  EXPECT_EQ(shown("before"), "1");
  EXPECT_EQ(shown("later"), "1");
  EXPECT_FALSE(files_hold("value-stuck"));
}

}  // namespace
}  // namespace ringwright
