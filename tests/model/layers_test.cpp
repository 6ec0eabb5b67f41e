#include "lockstep/model/batch_norm.hpp"
#include "lockstep/model/dropout.hpp"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include "comm/rank_threads.hpp"

namespace lockstep {
namespace {

using testing::run_ranks;

double difference(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).norm() / (b.norm() + 1e-12)).item<double>();
}

at::Tensor random(at::IntArrayRef shape, std::int64_t seed) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(static_cast<std::uint64_t>(seed)), at::kFloat);
}

BatchContext training(std::int64_t samples) {
  BatchContext context;
  context.training = true;
  for (std::int64_t i = 0; i < samples; ++i) context.ids.push_back(i);
  context.groups = {samples};
  context.global_samples = samples;
  return context;
}

at::Tensor reference_activation(const at::Tensor& z, std::optional<Activation> activation) {
  if (!activation) return z;
  switch (*activation) {
    case Activation::relu:
      return at::relu(z);
    case Activation::gelu:
      return at::gelu(z);
    case Activation::silu:
      return at::silu(z);
    case Activation::mish:
      return at::mish(z);
    case Activation::hardswish:
      return at::hardswish(z);
  }
  return z;
}

struct LayerCase {
  std::optional<Activation> activation;
  std::vector<std::int64_t> shape;
  NormConstants constants = {};
};

class BatchNormLayers : public ::testing::TestWithParam<LayerCase> {};

TEST_P(BatchNormLayers, AreLibTorchsBatchNormThenActivation) {
  const LayerCase c = GetParam();
  const std::int64_t channels = c.shape[1];
  BatchNormActivation layer(channels, c.activation, {}, c.constants);
  at::Tensor weight = (random({channels}, 1) + 1).requires_grad_(true),
             bias = random({channels}, 2).requires_grad_(true);
  {
    const at::NoGradGuard no_grad;
    layer.weight.copy_(weight);
    layer.bias.copy_(bias);
  }
  at::Tensor mean = at::zeros({channels}), variance = at::ones({channels});
  const at::Tensor data = random(c.shape, 3) * 2 + 5;
  at::Tensor mine = data.clone().requires_grad_(true), theirs = data.clone().requires_grad_(true);
  const at::Tensor up = random(c.shape, 4);
  const at::Tensor y = layer.forward(mine, training(c.shape[0]));
  const at::Tensor expected = reference_activation(
      at::batch_norm(theirs, weight, bias, mean, variance, true, c.constants.momentum, c.constants.epsilon, false),
      c.activation);
  (y * up).sum().backward();
  (expected * up).sum().backward();
  EXPECT_LT(difference(y, expected), 1e-5);
  EXPECT_LT(difference(mine.grad(), theirs.grad()), 1e-4);
  EXPECT_LT(difference(layer.weight.grad(), weight.grad()), 1e-5);
  EXPECT_LT(difference(layer.bias.grad(), bias.grad()), 1e-5);
  EXPECT_LT(difference(layer.running_mean, mean), 1e-6);
  EXPECT_LT(difference(layer.running_var, variance), 1e-6);
  // Evaluation takes the running statistics.
  const at::Tensor judged = layer.forward(data, BatchContext{});
  const at::Tensor wanted = reference_activation(
      at::batch_norm(data, weight, bias, mean, variance, false, c.constants.momentum, c.constants.epsilon, false),
      c.activation);
  EXPECT_LT(difference(judged, wanted), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, BatchNormLayers,
    ::testing::Values(LayerCase{std::nullopt, {5, 3, 4, 6}}, LayerCase{Activation::relu, {4, 32, 9, 9}},
                      LayerCase{Activation::gelu, {4, 7, 5, 5}}, LayerCase{Activation::silu, {3, 16, 8, 8}},
                      LayerCase{Activation::mish, {6, 33, 7, 7}}, LayerCase{Activation::mish, {16, 10}},
                      LayerCase{std::nullopt, {3, 1, 1, 2}}, LayerCase{Activation::relu, {70, 5}},
                      LayerCase{Activation::hardswish, {5, 24, 6, 6}, {1e-3, 0.01}}));

TEST(BatchNorm, TakesItsInputsMemoryOnlyWhereItMayAndNoBackwardFollows) {
  BatchNormActivation layer(3, Activation::relu, {});
  const BatchContext context;  // evaluation
  const at::Tensor given = at::randn({2, 3, 4, 4}).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor expected = layer.forward(given, context).detach().clone();
  at::Tensor x = given.clone();
  EXPECT_NE(layer.forward(x, context, InputMemory::may_be_taken).data_ptr(), x.data_ptr()) << "weight and bias learn";
  EXPECT_TRUE(x.equal(given));
  layer.weight.set_requires_grad(false);
  layer.bias.set_requires_grad(false);
  EXPECT_NE(layer.forward(x, context).data_ptr(), x.data_ptr()) << "its caller wants it";
  at::Tensor learns = given.clone().requires_grad_(true);
  EXPECT_NE(layer.forward(learns, context, InputMemory::may_be_taken).data_ptr(), learns.data_ptr());
  const at::Tensor y = layer.forward(x, context, InputMemory::may_be_taken);
  EXPECT_EQ(y.data_ptr(), x.data_ptr());
  EXPECT_TRUE(y.equal(expected));
  const at::NoGradGuard no_grad;
  layer.weight.set_requires_grad(true);
  x = given.clone();
  EXPECT_EQ(layer.forward(x, context, InputMemory::may_be_taken).data_ptr(), x.data_ptr());
}

TEST(BatchNorm, ALargeMeanDoesNotSpoilTheVariance) {
  BatchNormActivation layer(2, std::nullopt, {});
  const at::Tensor x = (random({64, 2, 4, 4}, 1) + 1000);
  const at::Tensor y = layer.forward(x, training(64));
  EXPECT_NEAR(y.std().item<double>(), 1.0, 0.01);
  EXPECT_NEAR(y.mean().item<double>(), 0.0, 0.01);
}

/// Output, input gradient and parameter gradients of a batch cut over the ranks, put together again.
struct Whole {
  at::Tensor y, dx, dw, db, mean, variance;
};

Whole on_ranks(int ranks, BatchNormStats stats, const std::vector<std::int64_t>& cuts, const at::Tensor& x,
               const at::Tensor& up) {
  std::vector<Whole> parts(static_cast<std::size_t>(ranks));
  run_ranks(ranks, [&](Communicator& communicator) {
    const auto r = static_cast<std::size_t>(communicator.rank());
    const std::int64_t begin = cuts[r], end = cuts[r + 1];
    BatchNormActivation layer(x.size(1), Activation::mish, stats);
    BatchContext context = training(end - begin);
    context.global_samples = x.size(0);
    context.ranks = ranks;
    context.groups.clear();
    for (std::int64_t at = begin; at < end; at += 2) context.groups.push_back(2);
    context.sum_over_ranks = [&](at::Tensor& values) { communicator.sum(values).wait(); };
    const at::Tensor mine = x.slice(0, begin, end).clone().requires_grad_(true);
    const at::Tensor y = layer.forward(mine, context);
    (y * up.slice(0, begin, end)).sum().backward();
    at::Tensor buffers = at::cat({layer.running_mean, layer.running_var});
    at::Tensor gradients = at::cat({layer.weight.grad(), layer.bias.grad()});
    communicator.sum(buffers).wait();
    communicator.sum(gradients).wait();
    parts[r] = {y.detach(),
                mine.grad(),
                gradients.slice(0, 0, x.size(1)),
                gradients.slice(0, x.size(1)),
                buffers.slice(0, 0, x.size(1)) / ranks,
                buffers.slice(0, x.size(1)) / ranks};
  });
  std::vector<at::Tensor> y, dx;
  for (const Whole& part : parts) {
    y.push_back(part.y);
    dx.push_back(part.dx);
  }
  return {at::cat(y), at::cat(dx), parts[0].dw, parts[0].db, parts[0].mean, parts[0].variance};
}

class BatchNormOverRanks : public ::testing::TestWithParam<BatchNormStats> {};

TEST_P(BatchNormOverRanks, EqualsOneRankForEveryCut) {
  const at::Tensor x = random({12, 5, 3, 3}, 1) * 3 + 1, up = random({12, 5, 3, 3}, 2);
  const Whole one = on_ranks(1, GetParam(), {0, 12}, x, up);
  const std::vector<std::vector<std::int64_t>> all_cuts{
      {0, 6, 12}, {0, 2, 12}, {0, 0, 12}, {0, 4, 4, 12}, {0, 2, 6, 8, 12}};
  for (const std::vector<std::int64_t>& cuts : all_cuts) {
    const Whole many = on_ranks(static_cast<int>(cuts.size()) - 1, GetParam(), cuts, x, up);
    EXPECT_LT(difference(many.y, one.y), 1e-6);
    EXPECT_LT(difference(many.dx, one.dx), 1e-5);
    EXPECT_LT(difference(many.dw, one.dw), 1e-5);
    EXPECT_LT(difference(many.db, one.db), 1e-5);
    EXPECT_LT(difference(many.mean, one.mean), 1e-6);
    EXPECT_LT(difference(many.variance, one.variance), 1e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, BatchNormOverRanks,
                         ::testing::Values(BatchNormStats{BatchNormStats::Over::global_batch, 0},
                                           BatchNormStats{BatchNormStats::Over::group, 2}));

TEST(Dropout, MasksFollowTheSampleNotItsPlaceInTheBatch) {
  const at::Tensor x = at::ones({4, 3, 5, 5});
  BatchContext context = training(4);
  context.ids = {10, 11, 12, 13};
  const at::Tensor whole = dropout(x, 0.4, 0, context);
  context.ids = {12, 10};
  const at::Tensor part = dropout(x.slice(0, 0, 2), 0.4, 0, context);
  EXPECT_TRUE(part[0].equal(whole[2]));
  EXPECT_TRUE(part[1].equal(whole[0]));
  EXPECT_FALSE(whole[0].equal(whole[1]));
}

TEST(Dropout, GradientPassesWhereValuesDid) {
  const at::Tensor x = at::ones({2, 50}).requires_grad_(true);
  const at::Tensor y = dropout(x, 0.5, 3, training(2));
  y.sum().backward();
  EXPECT_TRUE(x.grad().equal(y.detach()));
  EXPECT_TRUE(((y == 0) | (y == 2)).all().item<bool>());
  EXPECT_TRUE(dropout(x, 0.5, 3, BatchContext{}).equal(x)) << "evaluation drops nothing";
}

TEST(Layers, AcceptARankWithoutSamples) {
  BatchNormActivation layer(3, Activation::mish, {});
  const at::Tensor x = at::zeros({0, 3, 4, 4}).requires_grad_(true);
  const at::Tensor y = dropout(layer.forward(x, training(0)), 0.5, 0, training(0));
  y.sum().backward();
  EXPECT_EQ(y.size(0), 0);
  EXPECT_EQ(layer.weight.grad().abs().sum().item<float>(), 0.0f);
}

TEST(Layers, RefuseWhatTheirKernelsCannotRead) {
  BatchNormActivation layer(3, Activation::mish, {});
  EXPECT_ANY_THROW(layer.forward(at::zeros({2, 3, 4, 4}, at::kDouble), training(2)));
  EXPECT_ANY_THROW(layer.forward(at::zeros({3}), training(2)));
}

}  // namespace
}  // namespace lockstep
