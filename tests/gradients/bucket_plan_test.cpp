// Bucket plans as tables: which parameter lies where.
#include "lockstep/gradients/bucket_plan.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

std::vector<ParameterSize> parameters(std::initializer_list<std::int64_t> sizes, std::int64_t element_bytes = 4) {
  std::vector<ParameterSize> list;
  for (const std::int64_t numel : sizes) list.push_back({fmt::format("p{}", list.size()), numel, element_bytes});
  return list;
}

struct Case {
  const char* what;
  std::vector<ParameterSize> parameters;
  BucketSizes sizes;
  std::vector<BucketSlot> slots;            // [parameter]
  std::vector<std::int64_t> bucket_numels;  // [bucket]
};

TEST(BucketPlan, FollowsTheTable) {
  const std::vector<Case> cases = {
      {"no parameters, no buckets", {}, {}, {}, {}},
      {"reverse order, aligned to 16 floats", parameters({3, 17, 16}), {}, {{0, 48}, {0, 16}, {0, 0}}, {64}},
      {"a parameter without elements takes a place but no room", parameters({5, 0}), {}, {{0, 0}, {0, 0}}, {16}},
      {"first bucket small, later ones larger",
       parameters({16, 16, 16, 16}),
       {.first_bytes = 64, .bytes = 128},
       {{2, 0}, {1, 16}, {1, 0}, {0, 0}},
       {16, 32, 16}},
      {"closed before it exceeds its size; larger parameters stand alone",
       parameters({16, 100, 16}),
       {.first_bytes = 64, .bytes = 128},
       {{2, 0}, {1, 0}, {0, 0}},
       {16, 112, 16}},
      {"a double is aligned to 8 elements", parameters({1, 9}, 8), {}, {{0, 16}, {0, 0}}, {24}},
  };
  for (const Case& expected : cases) {
    const BucketPlan plan = plan_buckets(expected.parameters, expected.sizes);
    EXPECT_EQ(plan.slots, expected.slots) << expected.what;
    std::vector<std::int64_t> numels;
    for (const BucketShape& bucket : plan.buckets) numels.push_back(bucket.numel);
    EXPECT_EQ(numels, expected.bucket_numels) << expected.what;
  }
}

TEST(BucketPlan, EveryParameterLiesInExactlyOneBucketWithoutOverlap) {
  std::vector<ParameterSize> list;
  for (std::int64_t i = 0; i < 300; ++i) list.push_back({fmt::format("p{}", i), (i * 7919) % 5000, 4});
  const BucketPlan plan = plan_buckets(list, {.first_bytes = 4096, .bytes = 65536});
  std::size_t placed = 0;
  for (std::size_t b = 0; b < plan.buckets.size(); ++b) {
    std::int64_t end = 0;
    for (const std::size_t i : plan.buckets[b].parameters) {
      EXPECT_EQ(plan.slots[i].bucket, b);
      EXPECT_GE(plan.slots[i].offset, end);
      EXPECT_EQ(plan.slots[i].offset % 16, 0);
      end = plan.slots[i].offset + list[i].numel;
      ++placed;
    }
    EXPECT_LE(end, plan.buckets[b].numel);
  }
  EXPECT_EQ(placed, list.size());
}

TEST(BucketPlan, ElementSizesAreNeverMixed) {
  const std::vector<ParameterSize> list = {{"a", 4, 4}, {"b", 4, 8}, {"c", 4, 4}};
  EXPECT_EQ(plan_buckets(list).buckets.size(), 3u);
}

TEST(BucketPlan, DigestFollowsNamesSizesAndPlaces) {
  const auto digest = [](const std::vector<ParameterSize>& list, const BucketSizes& sizes = {}) {
    return plan_buckets(list, sizes).digest;
  };
  const auto list = parameters({100, 200});
  EXPECT_EQ(digest(list), digest(parameters({100, 200})));
  EXPECT_NE(digest(list), digest(parameters({200, 100})));
  EXPECT_NE(digest(list), digest({{"p0", 100, 4}, {"q1", 200, 4}}));
  EXPECT_NE(digest(list), digest(list, {.first_bytes = 1, .bytes = 1}));
}

TEST(BucketPlan, RefusesBucketsWithoutRoom) {
  EXPECT_THROW(plan_buckets({}, {.first_bytes = 0, .bytes = 1}), Error);
  EXPECT_THROW(plan_buckets({}, {.first_bytes = 1, .bytes = -5}), Error);
}

}  // namespace
}  // namespace lockstep
