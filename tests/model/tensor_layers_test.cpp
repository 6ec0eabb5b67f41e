// The layers that GPUs run, on CPU tensors: equal to the CPU's kernels, masks bit for bit.
#include "model/tensor_layers.hpp"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include "comm/rank_threads.hpp"
#include "lockstep/model/dropout.hpp"
#include "lockstep/model/vector_kernels.hpp"

namespace lockstep {
namespace {

using testing::run_ranks;
using Over = BatchNormStats::Over;

double difference(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).norm() / (b.norm() + 1e-12)).item<double>();
}

at::Tensor random(at::IntArrayRef shape, std::uint64_t seed) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed), at::kFloat);
}

BatchContext training(std::int64_t samples, const std::vector<std::int64_t>& groups) {
  BatchContext context;
  context.training = true;
  context.seed = 0xFEDCBA9876543210;
  context.step = 3'000'000'017;
  for (std::int64_t i = 0; i < samples; ++i) context.ids.push_back(i * 7'777'777'777 + 5);
  context.groups = groups;
  context.global_samples = samples;
  return context;
}

/// What a layer computes of x, and what it leaves behind.
struct Outcome {
  at::Tensor y, dx, dw, db, mean, variance, tracked;
};

enum class Path { kernels, tensors };

Outcome run(Path path, const at::Tensor& x, std::optional<Activation> activation, BatchNormStats stats,
            const BatchContext& context, bool frozen = false) {
  const std::int64_t channels = x.size(1);
  BatchNormActivation layer(channels, activation, stats);
  {
    const at::NoGradGuard no_grad;
    layer.weight.copy_(random({channels}, 1) + 1);
    layer.bias.copy_(random({channels}, 2));
    layer.running_mean.copy_(random({channels}, 5));
    layer.running_var.copy_(random({channels}, 6).abs() + 0.5);
    for (at::Tensor& parameter : layer.parameters()) parameter.set_requires_grad(!frozen);
  }
  const at::Tensor mine = x.clone().requires_grad_(true);
  const at::Tensor y =
      path == Path::kernels ? layer.forward(mine, context) : tensors::batch_norm(layer, activation, mine, context);
  (y * random(x.sizes(), 4)).sum().backward();
  return {y.detach(),         mine.grad(),       layer.weight.grad(),      layer.bias.grad(),
          layer.running_mean, layer.running_var, layer.num_batches_tracked};
}

void expect_equal(const Outcome& tensors, const Outcome& kernels) {
  EXPECT_LT(difference(tensors.y, kernels.y), 2e-6);
  EXPECT_LT(difference(tensors.dx, kernels.dx), 2e-5);
  EXPECT_LT(difference(tensors.dw, kernels.dw), 2e-6);
  EXPECT_LT(difference(tensors.db, kernels.db), 2e-6);
  EXPECT_LT(difference(tensors.mean, kernels.mean), 1e-6);
  EXPECT_LT(difference(tensors.variance, kernels.variance), 1e-6);
  EXPECT_TRUE(tensors.tracked.equal(kernels.tracked));
}

struct NormCase {
  std::optional<Activation> activation;
  std::vector<std::int64_t> shape;
};

class TensorNorms : public ::testing::TestWithParam<NormCase> {};

TEST_P(TensorNorms, AreTheKernels) {
  const auto& [activation, shape] = GetParam();
  const at::Tensor x = random(shape, 3) * 2 + 5;
  const std::int64_t half = shape[0] / 2;
  for (const BatchNormStats& stats :
       {BatchNormStats{}, BatchNormStats{Over::rank, 0}, BatchNormStats{Over::group, half}}) {
    const BatchContext context = training(shape[0], {half, shape[0] - half});
    expect_equal(run(Path::tensors, x, activation, stats, context), run(Path::kernels, x, activation, stats, context));
  }
  expect_equal(run(Path::tensors, x, activation, {}, BatchContext{}),
               run(Path::kernels, x, activation, {}, BatchContext{}));
}

INSTANTIATE_TEST_SUITE_P(Shapes, TensorNorms,
                         ::testing::Values(NormCase{std::nullopt, {6, 3, 4, 6}},
                                           NormCase{Activation::relu, {4, 32, 9, 9}},
                                           NormCase{Activation::silu, {4, 16, 8, 8}},
                                           NormCase{Activation::mish, {6, 33, 7, 7}},
                                           NormCase{Activation::mish, {16, 10}}, NormCase{Activation::relu, {70, 5}},
                                           NormCase{Activation::hardswish, {5, 24, 6, 6}}));

TEST(TensorNorm, FrozenKeepsItsStatistics) {
  const at::Tensor x = random({4, 7, 5, 5}, 3);
  for (const Path path : {Path::tensors, Path::kernels}) {
    const Outcome judged = run(path, x, Activation::relu, {}, BatchContext{}),
                  frozen = run(path, x, Activation::relu, {}, training(4, {4}), true);
    EXPECT_TRUE(frozen.y.equal(judged.y));
    EXPECT_TRUE(frozen.dx.equal(judged.dx));
    EXPECT_TRUE(frozen.mean.equal(judged.mean) && frozen.variance.equal(judged.variance));
    EXPECT_EQ(frozen.tracked.item<std::int64_t>(), 0);
    EXPECT_FALSE(frozen.dw.defined() || frozen.db.defined());
  }
}

TEST(TensorNorm, GeluFollowsTheNorm) {
  const at::Tensor x = random({4, 7, 5, 5}, 3);
  const BatchContext context = training(4, {4});
  expect_equal(run(Path::tensors, x, Activation::gelu, {}, context),
               run(Path::kernels, x, Activation::gelu, {}, context));
}

TEST(TensorNorm, KeepsImagesChannelsLast) {
  const at::Tensor x = random({4, 8, 5, 5}, 3).contiguous(at::MemoryFormat::ChannelsLast);
  for (const BatchNormStats& stats : {BatchNormStats{}, BatchNormStats{Over::group, 2}}) {
    const Outcome outcome = run(Path::tensors, x, Activation::mish, stats, training(4, {2, 2}));
    EXPECT_TRUE(outcome.y.is_contiguous(at::MemoryFormat::ChannelsLast));
    EXPECT_TRUE(outcome.dx.is_contiguous(at::MemoryFormat::ChannelsLast));
  }
}

TEST(TensorNorm, ALargeMeanDoesNotSpoilTheVariance) {
  const at::Tensor x = random({64, 2, 4, 4}, 1) + 1000;
  BatchNormActivation layer(2, std::nullopt, {});
  const at::Tensor y = tensors::batch_norm(layer, std::nullopt, x, training(64, {64}));
  EXPECT_NEAR(y.std().item<double>(), 1.0, 0.01);
  EXPECT_NEAR(y.mean().item<double>(), 0.0, 0.01);
}

TEST(TensorNorm, ExchangesWhatTheKernelsExchange) {
  const at::Tensor x = random({12, 5, 3, 3}, 1) * 3 + 1;
  const Outcome whole = run(Path::kernels, x, Activation::mish, {}, training(12, {12}));
  const std::vector<std::int64_t> cuts{0, 4, 4, 12};  // the rank in the middle has nothing
  std::vector<Outcome> parts(3);
  run_ranks(3, [&](Communicator& communicator) {
    const auto r = static_cast<std::size_t>(communicator.rank());
    BatchContext context = training(cuts[r + 1] - cuts[r], {});
    context.global_samples = 12;
    context.ranks = 3;
    int exchanges = 0;
    context.sum_over_ranks = [&](at::Tensor& values) {
      EXPECT_EQ(values.scalar_type(), at::kDouble);
      ++exchanges;
      communicator.sum(values).let_stream_wait();
    };
    BatchNormActivation layer(5, Activation::mish, {});
    {
      const at::NoGradGuard no_grad;
      layer.weight.copy_(random({5}, 1) + 1);
      layer.bias.copy_(random({5}, 2));
    }
    const at::Tensor mine = x.slice(0, cuts[r], cuts[r + 1]).clone().requires_grad_(true);
    const at::Tensor y = tensors::batch_norm(layer, Activation::mish, mine, context);
    (y * random(x.sizes(), 4).slice(0, cuts[r], cuts[r + 1])).sum().backward();
    parts[r].y = y.detach();
    parts[r].dx = mine.grad();
    parts[r].dw = layer.weight.grad();
    EXPECT_EQ(exchanges, 2) << "once in forward, once in backward";
  });
  EXPECT_LT(difference(at::cat({parts[0].y, parts[1].y, parts[2].y}), whole.y), 2e-6);
  EXPECT_LT(difference(at::cat({parts[0].dx, parts[1].dx, parts[2].dx}), whole.dx), 2e-5);
  EXPECT_LT(difference(parts[0].dw + parts[1].dw + parts[2].dw, whole.dw), 2e-5);
}

TEST(TensorNorm, RefusesWhatTheKernelsRefuse) {
  BatchNormActivation layer(3, Activation::mish, {});
  EXPECT_THROW(tensors::batch_norm(layer, Activation::mish, at::zeros({2, 3, 4, 4}, at::kDouble), training(2, {2})),
               Error);
  EXPECT_THROW(tensors::batch_norm(layer, Activation::mish, at::zeros({3}), training(2, {2})), Error);
  EXPECT_THROW(tensors::batch_norm(layer, Activation::mish, at::zeros({1, 3}), training(1, {1})), Error);
}

TEST(TensorDropout, MasksAreTheKernelsBitForBit) {
  for (const std::int64_t elements : {1, 3, 4, 1023, 5000}) {
    for (const double drop : {0.05, 0.5, 0.95}) {
      BatchContext context = training(5, {5});
      for (const std::uint32_t layer : {0u, 3u, 0xFFFFFFu}) {
        const at::Tensor mask = tensors::dropout_mask(context, layer, drop, elements, at::kCPU);
        for (std::int64_t i = 0; i < 5; ++i) {
          std::vector<std::uint8_t> keep(static_cast<std::size_t>(elements));
          kernels::dropout_mask(context.seed, static_cast<std::uint64_t>(context.step),
                                static_cast<std::uint64_t>(context.ids[static_cast<std::size_t>(i)]), layer, drop,
                                elements, keep.data());
          const at::Tensor expected = at::from_blob(keep.data(), {elements}, at::kByte).to(at::kBool);
          ASSERT_TRUE(mask[i].equal(expected)) << elements << " elements, p " << drop << ", layer " << layer;
        }
      }
    }
  }
}

TEST(TensorDropout, ValuesAndGradientsAreTheKernels) {
  for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{3, 4, 5, 6}, {7, 33}, {0, 4, 2, 2}}) {
    const BatchContext context = training(shape[0], {shape[0]});
    const at::Tensor x = random(shape, 1), up = random(shape, 2);
    const at::Tensor a = x.clone().requires_grad_(true), b = x.clone().requires_grad_(true);
    const at::Tensor tensors = tensors::dropout(a, 0.3, 2, context), kernels = dropout(b, 0.3, 2, context);
    (tensors * up).sum().backward();
    (kernels * up).sum().backward();
    EXPECT_TRUE(tensors.equal(kernels));
    EXPECT_TRUE(a.grad().equal(b.grad()));
  }
}

}  // namespace
}  // namespace lockstep
