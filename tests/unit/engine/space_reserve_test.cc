#include "engine/base/space_reserve.h"

#include <gtest/gtest.h>

#include <memory>

namespace ringwright {
namespace {

class HandClock final : public Clock {
 public:
  Instant now() const override { return now_; }
  std::uint64_t wall_us() const override { return 0; }
  Instant now_ = seconds(1);
};

class SpaceReserveTest : public testing::Test {
 protected:
  Status admit(std::uint64_t bytes) {
    return reserve_.admit(bytes, [this] { return needed_; });
  }

  const std::shared_ptr<HandClock> clock_ = std::make_shared<HandClock>();
  std::uint64_t free_ = 1'000'000;
  std::uint64_t needed_ = 100'000;
  int looks_ = 0;
  SpaceReserve reserve_{{.directory = "/data/engine",
                         .advice = ", or set less",
                         .look_bytes = 10'000,
                         .look_after = milliseconds(10)},
                        [this] {
                          ++looks_;
                          return free_;
                        },
                        clock_};
};

TEST_F(SpaceReserveTest, the_disk_is_looked_at_after_so_many_bytes) {
  for (int i = 0; i < 11; ++i) EXPECT_EQ(admit(1000), ok_status());
  EXPECT_EQ(looks_, 1);
  EXPECT_EQ(admit(1000), ok_status());
  EXPECT_EQ(looks_, 2);
}

TEST_F(SpaceReserveTest, a_write_beyond_what_may_pass_unseen_is_not_let_in_unseen) {
  EXPECT_EQ(admit(1), ok_status());
  free_ = 110'000;
  EXPECT_EQ(admit(10'001).code(), Code::no_space);
  EXPECT_EQ(looks_, 2);
}

TEST_F(SpaceReserveTest, the_disk_is_looked_at_after_so_long) {
  EXPECT_EQ(admit(1), ok_status());
  clock_->now_ += milliseconds(9);
  EXPECT_EQ(admit(1), ok_status());
  EXPECT_EQ(looks_, 1);
  clock_->now_ += milliseconds(1);
  EXPECT_EQ(admit(1), ok_status());
  EXPECT_EQ(looks_, 2);
}

TEST_F(SpaceReserveTest, what_is_needed_must_be_free_beside_the_write) {
  free_ = 100'500;
  EXPECT_EQ(admit(500), ok_status());
  reserve_.expect_look();
  EXPECT_EQ(admit(501).code(), Code::no_space);
  needed_ = UINT64_MAX;
  EXPECT_EQ(admit(501).code(), Code::no_space);
}

TEST_F(SpaceReserveTest, a_disk_whose_free_space_is_not_known_has_enough) {
  free_ = UINT64_MAX;
  EXPECT_EQ(admit(1), ok_status());
  EXPECT_GT(disk_space("/").free_bytes, 0u);
  EXPECT_EQ(disk_space("/no such directory").free_bytes, UINT64_MAX);
}

TEST_F(SpaceReserveTest, a_shortage_is_looked_at_by_each_call_and_ends_with_it) {
  free_ = 5 * 1024;
  needed_ = 3 * 1024 * 1024;
  const Status refused = admit(1);
  EXPECT_EQ(refused.to_string(),
            "no_space: disk of '/data/engine' is nearly full: 5KiB are free, writes need 3MiB: "
            "free some space, or set less");
  EXPECT_TRUE(reserve_.is_short());
  EXPECT_EQ(admit(0).code(), Code::no_space);
  EXPECT_EQ(looks_, 2);
  free_ = 4 * 1024 * 1024;
  EXPECT_EQ(admit(1), ok_status());
  EXPECT_FALSE(reserve_.is_short());
  EXPECT_EQ(looks_, 3);
  EXPECT_EQ(admit(1), ok_status());
  EXPECT_EQ(looks_, 3);
}

TEST_F(SpaceReserveTest, after_a_refusal_of_the_user_s_the_next_call_looks) {
  EXPECT_EQ(admit(1), ok_status());
  EXPECT_EQ(reserve_.refuse().code(), Code::no_space);
  EXPECT_TRUE(reserve_.is_short());
  EXPECT_EQ(admit(1), ok_status());
  EXPECT_EQ(looks_, 2);
}

}  // namespace
}  // namespace ringwright
