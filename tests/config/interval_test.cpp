#include "lockstep/config/interval.hpp"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

using Unit = Interval::Unit;

TEST(Intervals, AreReadWithTheirUnits) {
  EXPECT_EQ(Interval::parse("2"), (Interval{Unit::epochs, 2}));
  EXPECT_EQ(Interval::parse("2epochs"), (Interval{Unit::epochs, 2}));
  EXPECT_EQ(Interval::parse("500steps"), (Interval{Unit::steps, 500}));
  EXPECT_EQ(Interval::parse("30minutes"), (Interval{Unit::minutes, 30}));
  EXPECT_EQ(Interval::parse("never"), Interval{});
  for (const char* wrong : {"", "0", "-1", "steps", "5 steps", "5x", "1e3", "99999999999999999999", "1.5"})
    EXPECT_FALSE(Interval::parse(wrong)) << wrong;
}

TEST(Intervals, FallDueAtBoundaries) {
  const Interval epochs{Unit::epochs, 2}, steps{Unit::steps, 5};
  EXPECT_FALSE(epochs.due_after(0, 7));
  EXPECT_FALSE(epochs.due_after(7, 7));
  EXPECT_TRUE(epochs.due_after(14, 7));
  EXPECT_FALSE(epochs.due_after(15, 7));
  EXPECT_FALSE(steps.due_after(0, 7));
  EXPECT_TRUE(steps.due_after(10, 7));
  EXPECT_FALSE(steps.due_after(11, 7));
  EXPECT_FALSE((Interval{Unit::minutes, 1}).due_after(10, 7));
  EXPECT_FALSE(Interval{}.due_after(10, 7));
}

}  // namespace
}  // namespace lockstep
