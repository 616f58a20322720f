#include "engine/base/histogram.h"

#include <gtest/gtest.h>

namespace ringwright {
namespace {

template <const auto& bounds>
void expect_each_bound_in_its_bucket() {
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    Histogram<bounds> histogram;
    histogram.add(bounds[i]);
    histogram.add(bounds[i] + 1, 2);
    EXPECT_EQ(histogram.counts()[i], 1u) << bounds[i] << " lies at its bound";
    EXPECT_EQ(histogram.counts()[i + 1], 2u) << bounds[i] << " and one lies above";
    EXPECT_EQ(histogram.total(), 3u);
    EXPECT_EQ(histogram.sum(), 3 * bounds[i] + 2);
  }
}

TEST(HistogramTest, AValueAtABoundIsBelowIt) {
  expect_each_bound_in_its_bucket<duration_bounds>();
  expect_each_bound_in_its_bucket<count_bounds>();
  expect_each_bound_in_its_bucket<byte_bounds>();
}

TEST(HistogramTest, NothingIsTheSmallestAndTheLargestLiesAboveAllBounds) {
  DurationHistogram histogram;
  histogram.add(0);
  histogram.add(3'600'000'000'000);
  EXPECT_EQ(histogram.counts().front(), 1u);
  EXPECT_EQ(histogram.counts().back(), 1u);
}

}  // namespace
}  // namespace ringwright
