// Means of a network's weights beside the same made by hand.
#include "lockstep/optim/weight_average.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "lockstep/model/make_model.hpp"

namespace lockstep {
namespace {

std::shared_ptr<Model> small_model() {
  ModelConfig config = model_config("custom", {{"filters", "4"}, {"dense", "6"}});
  return make_model(config, {3, 8, 3}, 1);
}

at::Tensor find(const std::vector<std::pair<std::string, at::Tensor>>& tensors, const std::string& name) {
  const auto found = std::ranges::find(tensors, name, &std::pair<std::string, at::Tensor>::first);
  EXPECT_NE(found, tensors.end()) << name;
  return found->second;
}

/// What a step would make of the weights.
void move(Model& model, int step) {
  const at::NoGradGuard no_grad;
  for (auto& [name, tensor] : state_of(model)) {
    if (tensor.is_floating_point()) at::Tensor(tensor).add_(0.1 * step);
  }
}

TEST(WeightAverages, AnExponentialMeanFollowsEveryStep) {
  const auto model = small_model();
  AveragingConfig config;
  config.decay = 0.9;
  WeightAverage average(config, *model);
  const at::Tensor weight = find(state_of(*model), "conv1.weight");
  at::Tensor expected = weight.detach().to(at::kDouble);
  for (int step = 0; step < 30; ++step) {
    move(*model, step);
    average.after_step(step);
    const double decay = std::min(0.9, (1.0 + step) / (10.0 + step));
    expected = decay * expected + (1 - decay) * weight.detach();
  }
  EXPECT_TRUE(average.begun());
  EXPECT_TRUE(at::allclose(find(average.state(), "average.conv1.weight").to(at::kDouble), expected, 1e-6, 1e-6));
}

TEST(WeightAverages, APlainMeanTakesTheEndsOfEpochs) {
  const auto model = small_model();
  AveragingConfig config;
  config.from_epoch = 3;
  WeightAverage average(config, *model);
  const at::Tensor weight = find(state_of(*model), "output.weight");
  at::Tensor sum = at::zeros_like(weight, at::kDouble);
  for (int epoch = 1; epoch <= 6; ++epoch) {
    move(*model, epoch);
    average.after_step(epoch);
    EXPECT_EQ(average.begun(), epoch > 3);
    average.after_epoch(epoch);
    if (epoch >= 3) sum += weight.detach();
  }
  EXPECT_EQ(average.count(), 4);
  EXPECT_TRUE(at::allclose(find(average.state(), "average.output.weight").to(at::kDouble), sum / 4, 1e-6, 1e-6));
}

TEST(WeightAverages, ExchangedTwiceNothingHasChanged) {
  const auto model = small_model();
  AveragingConfig config;
  config.decay = 0.5;
  WeightAverage average(config, *model);
  move(*model, 3);
  average.after_step(0);
  const at::Tensor weight = find(state_of(*model), "conv1.weight"),
                   mean = find(average.state(), "average.conv1.weight");
  const at::Tensor weight_before = weight.detach().clone(), mean_before = mean.clone();
  average.exchange();
  EXPECT_TRUE(weight.equal(mean_before));
  EXPECT_TRUE(mean.equal(weight_before));
  average.exchange();
  EXPECT_TRUE(weight.equal(weight_before));
  EXPECT_TRUE(mean.equal(mean_before));
}

}  // namespace
}  // namespace lockstep
