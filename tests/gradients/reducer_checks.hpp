// Checks of the reducer that all ranks of one communicator run together, whatever its backend.
#pragma once
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "gradients/small_network.hpp"
#include "lockstep/comm/communicator.hpp"
#include "lockstep/gradients/reducer.hpp"

namespace lockstep::testing {

/// Small enough that the network needs several buckets.
inline constexpr BucketSizes small_buckets{.first_bytes = 256, .bytes = 4096};

/// Gradients of the whole batch of `samples`, computed by one rank without any of our code, [parameter].
inline std::vector<at::Tensor> reference_gradients(std::int64_t samples) {
  const SmallNetwork network;
  loss_part(network, 0, samples, samples).backward();
  std::vector<at::Tensor> gradients;
  for (const auto& [name, parameter] : network.parameters()) gradients.push_back(parameter.grad());
  return gradients;
}

/// The samples of each rank, [rank]: as uneven as can be; the last rank has none where there are three or more.
inline std::vector<std::int64_t> uneven_parts(std::int64_t samples, int ranks) {
  std::vector<std::int64_t> parts(static_cast<std::size_t>(ranks), 0);
  const int givers = ranks >= 3 ? ranks - 1 : ranks;
  for (int r = 0; r < givers - 1; ++r) parts[static_cast<std::size_t>(r)] = std::min<std::int64_t>(1 + r, samples);
  parts[static_cast<std::size_t>(givers - 1)] = samples - std::accumulate(parts.begin(), parts.end(), std::int64_t{0});
  return parts;
}

/// Summed gradients of parts of a batch equal those of the whole, on every rank, several steps in a row.
inline void check_gradients_equal_reference(Communicator& communicator, Overlap overlap = Overlap::yes) {
  constexpr std::int64_t all_samples = 13;
  const std::vector<at::Tensor> expected = reference_gradients(all_samples);
  const std::vector<std::int64_t> parts = uneven_parts(all_samples, communicator.size());
  const auto me = parts.begin() + communicator.rank();
  const std::int64_t first = std::accumulate(parts.begin(), me, std::int64_t{0});

  const SmallNetwork network;
  GradientBuckets buckets(communicator, network.parameters(), small_buckets);
  EXPECT_GT(buckets.count(), 2u);
  Reducer reducer(communicator, buckets, overlap);
  for (int step = 0; step < 3; ++step) {
    reducer.begin();
    loss_part(network, first, *me, all_samples).backward();
    const ExchangeStats stats = reducer.finish();
    EXPECT_EQ(stats.buckets, static_cast<int>(buckets.count()));
    EXPECT_EQ(stats.launched_in_backward, overlap == Overlap::yes ? stats.buckets : 0);
    EXPECT_EQ(stats.bytes, buckets.bytes());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_LE(relative_difference(network.parameter(i).grad(), expected[i]), 1e-5)
          << network.parameters()[i].first << " on " << communicator.place().text();
    }
  }
}

}  // namespace lockstep::testing
