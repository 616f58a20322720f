#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>

#include "tests/plugins/wiredtiger/wiredtiger_test_support.h"

namespace ringwright {
namespace {

// The n-th write: rows of its own, rows that every write changes, now and then a dropped range.
struct NthWrite {
  int n;

  bool drops() const { return n % 50 == 49; }
  KeyRange range() const { return {"own1", "own5"}; }
  WriteBatch batch() const {
    WriteBatch batch;
    batch.put("own" + std::to_string(n % 500), std::to_string(n));
    batch.put("shared", std::to_string(n));
    batch.put("turn" + std::to_string(n % 7), Bytes(static_cast<std::size_t>(n % 300), 'v'));
    if (n % 3 == 0) batch.remove("turn" + std::to_string(n % 5));
    return batch;
  }
  void apply(std::map<Bytes, Bytes>& rows) const {
    if (drops()) {
      rows.erase(rows.lower_bound(range().start), rows.lower_bound(range().stop));
      return;
    }
    const WriteBatch written = batch();
    for (const auto& operation : written.operations()) {
      rows.erase(operation.key);
      if (operation.kind == WriteBatch::Kind::put) rows[operation.key] = operation.value;
    }
  }
};

class WiredtigerCrashTest : public WiredtigerTest, public testing::WithParamInterface<Durability> {
 protected:
  // Writes until it is killed, from `first` on, and acknowledges each write through the pipe.
  [[noreturn]] void write_for_ever(int first, int pipe) {
    if (!open().is_ok()) ::_exit(1);
    for (int n = first;; ++n) {
      const NthWrite next{n};
      if (next.drops()) {
        if (!engine_->drop_range(next.range()).is_ok()) ::_exit(2);
      } else {
        const auto written = engine_->write(next.batch(), MayBlock::yes);
        if (!written || !engine_->sync(*written, MayBlock::yes).is_ok()) ::_exit(3);
      }
      if (::write(pipe, &n, sizeof(n)) != sizeof(n)) ::_exit(4);
    }
  }

  // The last write that a child acknowledged before it was killed, after this many.
  int last_acknowledged_of_a_killed_child(int first, int count) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(ends[0]);
      write_for_ever(first, ends[1]);
    }
    ::close(ends[1]);
    int last = first - 1;
    for (int n = 0; last < first + count && ::read(ends[0], &n, sizeof(n)) == sizeof(n);) last = n;
    ::kill(child, SIGKILL);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status)) << "it failed instead: " << status;
    for (int n = 0; ::read(ends[0], &n, sizeof(n)) == sizeof(n);) last = n;
    ::close(ends[0]);
    return last;
  }

  std::map<Bytes, Bytes> read_rows() {
    std::map<Bytes, Bytes> rows;
    const auto iterator = engine_->iterate({}, Direction::forward);
    for (; iterator->valid(); iterator->next())
      rows.emplace(Bytes(iterator->key()), Bytes(iterator->value()));
    EXPECT_TRUE(iterator->status().is_ok());
    return rows;
  }
};

TEST_P(WiredtigerCrashTest, what_a_killed_process_leaves_is_a_prefix_with_all_acknowledged) {
  context_.durability = GetParam();
  // Checkpoints all the time, so that some kills meet one under way.
  context_.options["checkpoint"] = "(wait=0,log_size=16KiB)";
  int first = 1;
  std::map<Bytes, Bytes> expected;
  for (int round = 0; round < 6; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const int acknowledged = last_acknowledged_of_a_killed_child(first, 700 + round * 331);
    ASSERT_GT(acknowledged, first);
    const Status opened = open();
    ASSERT_TRUE(opened.is_ok()) << opened.to_string();
    const std::map<Bytes, Bytes> found = read_rows();
    // The writes go in order, so the only question is how many there are.
    int n = first - 1;
    int matches_at = found == expected ? n : -1;
    for (n = first; n <= acknowledged + 1; ++n) {
      NthWrite{n}.apply(expected);
      if (found == expected) matches_at = n;
    }
    ASSERT_NE(matches_at, -1) << "no prefix; acknowledged up to " << acknowledged;
    if (GetParam() != Durability::none) {
      EXPECT_GE(matches_at, acknowledged);
    }
    expected = found;
    first = matches_at + 1;
    ASSERT_EQ(engine_->close(), ok_status());
  }
}

INSTANTIATE_TEST_SUITE_P(Classes, WiredtigerCrashTest,
                         testing::Values(Durability::none, Durability::os, Durability::disk),
                         [](const auto& tested) {
                           return std::string(durability_name(tested.param));
                         });

}  // namespace
}  // namespace ringwright
