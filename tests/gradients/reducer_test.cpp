// Gradients summed while backward runs: right values, right moments, clear errors. Ranks are threads.
#include "lockstep/gradients/reducer.hpp"

#include <chrono>
#include <thread>

#include "comm/rank_threads.hpp"
#include "gradients/reducer_checks.hpp"
#include "lockstep/comm/delayed.hpp"
#include "lockstep/comm/serial.hpp"
#include "lockstep/core/stopwatch.hpp"
#include "lockstep/gradients/broadcast_parameters.hpp"

namespace lockstep::testing {
namespace {

std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

class RankThreads : public ::testing::TestWithParam<int> {};

TEST_P(RankThreads, GradientsEqualOneRank) {
  run_ranks(GetParam(), [](Communicator& communicator) { check_gradients_equal_reference(communicator); });
}

TEST_P(RankThreads, GradientsEqualOneRankWithoutOverlap) {
  run_ranks(GetParam(), [](Communicator& communicator) { check_gradients_equal_reference(communicator, Overlap::no); });
}

TEST_P(RankThreads, ParametersStartAsThoseOfRank0) {
  run_ranks(GetParam(), [](Communicator& communicator) {
    const SmallNetwork expected;
    NamedTensors tensors = SmallNetwork().parameters();
    tensors.emplace_back("batches", at::full({}, 100 + communicator.rank(), at::kLong));
    tensors.emplace_back("nothing", at::empty({0}));
    tensors.emplace_back("large", at::full({9 << 20}, static_cast<float>(communicator.rank())));
    for (auto& [name, tensor] : tensors) {
      if (tensor.requires_grad()) tensor.variable_data().mul_(communicator.rank() + 1);
    }
    broadcast_parameters(communicator, tensors);
    for (std::size_t i = 0; i < expected.parameters().size(); ++i) {
      EXPECT_TRUE(tensors[i].second.equal(expected.parameter(i))) << tensors[i].first;
    }
    EXPECT_EQ(tensors[8].second.item<std::int64_t>(), 100);
    EXPECT_EQ(tensors[10].second.count_nonzero().item<std::int64_t>(), 0);
  });
}

INSTANTIATE_TEST_SUITE_P(All, RankThreads, ::testing::Values(1, 2, 4));

TEST(Buckets, FrozenAndTiedParametersAreNotInThePlanTwice) {
  const auto communicator = make_serial_communicator();
  NamedTensors parameters = SmallNetwork().parameters();
  parameters[0].second.set_requires_grad(false);
  parameters.emplace_back("tied", parameters[7].second);
  const GradientBuckets buckets(*communicator, parameters);
  ASSERT_EQ(buckets.parameters().size(), 7u);
  EXPECT_EQ(buckets.parameters().front().first, "conv1.bias");
  EXPECT_EQ(buckets.parameters().back().first, "dense2.bias");
  EXPECT_FALSE(parameters[0].second.grad().defined());
}

TEST(Buckets, GradientsKeepTheParametersLayout) {
  const auto communicator = make_serial_communicator();
  const SmallNetwork network;
  GradientBuckets buckets(*communicator, network.parameters());
  EXPECT_TRUE(network.parameter(0).grad().is_contiguous(at::MemoryFormat::ChannelsLast));
  loss_part(network, 0, 4, 4).backward();
  for (std::size_t i = 0; i < network.parameters().size(); ++i) buckets.check_view(i);
  buckets.zero();
  EXPECT_EQ(network.parameter(4).grad().count_nonzero().item<std::int64_t>(), 0);
}

TEST(Buckets, RefuseWhatTheyCannotHold) {
  const auto communicator = make_serial_communicator();
  const auto refuses = [&](at::Tensor tensor) {
    return error_of([&] { GradientBuckets(*communicator, {{"odd", tensor.set_requires_grad(true)}}); });
  };
  EXPECT_NE(refuses(at::zeros({3}, at::kDouble)).find("Double"), std::string::npos);
  EXPECT_NE(refuses(at::zeros({4, 4}).narrow(1, 0, 2)).find("gaps"), std::string::npos);
}

TEST(Buckets, NoParametersIsAStepWithoutExchange) {
  const auto communicator = make_serial_communicator();
  GradientBuckets buckets(*communicator, {});
  Reducer reducer(*communicator, buckets);
  reducer.begin();
  EXPECT_EQ(reducer.finish().buckets, 0);
}

TEST(Reducer, UnusedParametersCountAsZero) {
  run_ranks(2, [](Communicator& communicator) {
    const SmallNetwork network;
    GradientBuckets buckets(communicator, network.parameters(), small_buckets);
    Reducer reducer(communicator, buckets);
    for (int step = 0; step < 2; ++step) {
      reducer.begin();
      if (communicator.rank() == 0) network.parameter(5).sum().backward();  // rank 1: no backward at all
      const ExchangeStats stats = reducer.finish();
      EXPECT_LT(stats.launched_in_backward, stats.buckets);
      EXPECT_EQ(network.parameter(5).grad().sum().item<double>(), 32.0);
      EXPECT_EQ(network.parameter(0).grad().count_nonzero().item<std::int64_t>(), 0);
    }
  });
}

TEST(Reducer, ErrorsNameTheParameter) {
  const auto communicator = make_serial_communicator();
  const SmallNetwork network;
  GradientBuckets buckets(*communicator, network.parameters());
  Reducer reducer(*communicator, buckets);
  const auto backward = [&] { loss_part(network, 0, 2, 2).backward(); };
  EXPECT_NE(error_of(backward).find("outside of a step"), std::string::npos);
  EXPECT_THROW(reducer.finish(), Error);
  reducer.begin();
  EXPECT_THROW(reducer.begin(), Error);
  backward();
  EXPECT_NE(error_of(backward).find("second gradient in one step · dense2"), std::string::npos);
  reducer.finish();

  reducer.begin();
  at::Tensor moved = network.parameter(7);
  moved.mutable_grad() = at::Tensor();  // what zero_grad() with "set to none" does
  EXPECT_NE(error_of(backward).find("no longer lies in its bucket · dense2.bias"), std::string::npos);
}

TEST(Reducer, HooksEndWithIt) {
  const auto communicator = make_serial_communicator();
  const SmallNetwork network;
  GradientBuckets buckets(*communicator, network.parameters());
  for (int round = 0; round < 3; ++round) {
    Reducer reducer(*communicator, buckets);
    EXPECT_THROW(Reducer(*communicator, buckets), Error);  // one reducer a parameter; the first keeps its hooks
    reducer.begin();
    loss_part(network, 0, 2, 2).backward();
    EXPECT_EQ(reducer.finish().launched_in_backward, 1);
  }
  loss_part(network, 0, 2, 2).backward();  // without a reducer: no hook, no error
}

TEST(Reducer, PlansThatDifferAreRefusedOnEveryRank) {
  run_ranks(3, [](Communicator& communicator) {
    NamedTensors parameters = SmallNetwork().parameters();
    if (communicator.rank() == 2) parameters[7].second.set_requires_grad(false);
    GradientBuckets buckets(communicator, parameters);
    const std::string error = error_of([&] { Reducer(communicator, buckets); });
    EXPECT_NE(error.find("bucket plan differs between ranks: rank 0, 1: "), std::string::npos) << error;
  });
}

/// Six layers in a chain, each with a bucket of its own and a backward that takes `pause` without using the processor.
struct SlowChain {
  explicit SlowChain(std::chrono::milliseconds pause) : pause_(pause) {
    for (int i = 0; i < 6; ++i) {
      layers.emplace_back("layer" + std::to_string(i), at::ones({4096}).set_requires_grad(true));
    }
  }
  at::Tensor loss() const {
    at::Tensor x = at::ones({4096});
    for (const auto& [name, weight] : layers) {
      x = x * weight;
      x.register_hook([pause = pause_](const at::Tensor&) { std::this_thread::sleep_for(pause); });
    }
    return x.sum();
  }

  NamedTensors layers;

 private:
  std::chrono::milliseconds pause_;
};

/// Exposed seconds of one step of rank 0, of two; each of the 6 buckets takes 30 ms on the wire, each layer's backward
/// 40 ms.
double exposed_seconds(Overlap overlap) {
  double exposed = 0;
  run_ranks(2, [&](Communicator& inner) {
    const auto slow = make_delayed_communicator(inner.split(0, 0), {Seconds(0), 4096 * 4 / 0.030});
    const SlowChain chain(std::chrono::milliseconds(40));
    GradientBuckets buckets(*slow, chain.layers, {.first_bytes = 1, .bytes = 1});
    Reducer reducer(*slow, buckets, overlap);
    reducer.begin();
    chain.loss().backward();
    const ExchangeStats stats = reducer.finish();
    EXPECT_EQ(stats.buckets, 6);
    if (inner.rank() == 0) exposed = stats.exposed_seconds;
  });
  return exposed;
}

TEST(Reducer, BackwardHidesTheExchange) {
  const double hidden = exposed_seconds(Overlap::yes), shown = exposed_seconds(Overlap::no);
  ::testing::Test::RecordProperty("exposed_with_overlap_ms", static_cast<int>(hidden * 1e3));
  ::testing::Test::RecordProperty("exposed_without_overlap_ms", static_cast<int>(shown * 1e3));
  EXPECT_GE(shown, 0.18);          // six times 30 ms, one after the other
  EXPECT_LE(hidden, shown * 0.6);  // ideally a sixth: only the last bucket
}

}  // namespace
}  // namespace lockstep::testing
