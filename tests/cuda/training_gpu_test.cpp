// The whole of training on GPUs: the curves of the CPU within a thousandth, dropout's masks to the bit.
#include <ATen/ATen.h>

#include "cuda/gpu.hpp"
#include "lockstep/comm/serial.hpp"
#include "lockstep/model/dropout.hpp"
#include "train/golden_curve.hpp"

namespace lockstep::testing {
namespace {

TEST(GoldenCurves, AreThoseOfTheCpuOnGpus) {
  LOCKSTEP_NEEDS_GPU();
  const TemporaryFolder folder;
  const Manifest manifest = write_tiny_data_set(folder.path());
  for (GoldenCurve curve : golden_curves()) {
    curve.tolerance = 1e-3;
    RankCommunicators channels = make_rank_communicators(world(), Seconds(60), test_gpu().accelerator.get());
    expect_curve(curve, run_curve(curve, folder.path().string(), manifest, channels));
  }
}

/// The losses of the first four steps of a ResNet18 on these channels; more would follow its chaos.
std::vector<double> resnet_losses(const std::string& data, const Manifest& manifest, RankCommunicators& channels) {
  const RunConfig config = RunConfig::from(Options::from_values(Command::train, {{"data", data},
                                                                                 {"model", "resnet18"},
                                                                                 {"optimiser", "sgd"},
                                                                                 {"lr", "0.001"},
                                                                                 {"batch", "13"},
                                                                                 {"epochs", "1"},
                                                                                 {"threads", "1"}}));
  Log log(channels.control->rank(), channels.control->size());
  log.quiet();
  std::vector<double> losses;
  Trainer::Hooks hooks;
  hooks.on_step = [&](std::int64_t, const StepResult& result) { losses.push_back(result.loss); };
  hooks.stop_requested = [&] { return losses.size() >= 3; };
  Trainer(config, manifest, channels, log, hooks).run(std::nullopt);
  return losses;
}

TEST(ResNet, StepsOnGpusAreThoseOfTheCpu) {
  LOCKSTEP_NEEDS_GPU();
  const TemporaryFolder folder;
  const Manifest manifest = write_tiny_data_set(folder.path(), {.side = 32});
  const std::unique_ptr<Communicator> alone = make_serial_communicator();
  RankCommunicators on_cpu = split_rank_communicators(*alone);
  RankCommunicators on_gpus = make_rank_communicators(world(), Seconds(60), test_gpu().accelerator.get());
  const std::string data = folder.path().string();
  expect_curve({"resnet18", {}, 1e-3, resnet_losses(data, manifest, on_cpu)}, resnet_losses(data, manifest, on_gpus));
}

TEST(Recipes, StepOnGpusAsOnTheCpu) {
  LOCKSTEP_NEEDS_GPU();
  const TemporaryFolder folder;
  const Manifest manifest = write_tiny_data_set(folder.path());
  const std::unique_ptr<Communicator> alone = make_serial_communicator();
  const std::vector<GoldenCurve> recipes{
      {"lamb",
       {{"optimiser", "lamb"}, {"lr", "0.01"}, {"clip-norm", "0.5"}, {"ema", "0.9"}, {"class-weights", "balanced"}},
       1e-3,
       {}},
      {"lars",
       {{"optimiser", "lars"}, {"lr", "0.5"}, {"l1", "0.0001"}, {"clip-value", "0.1"}, {"swa-from", "1"}},
       1e-3,
       {}},
  };
  for (GoldenCurve recipe : recipes) {
    RankCommunicators on_cpu = split_rank_communicators(*alone);
    RankCommunicators on_gpus = make_rank_communicators(world(), Seconds(60), test_gpu().accelerator.get());
    recipe.losses = run_curve(recipe, folder.path().string(), manifest, on_cpu);
    expect_curve(recipe, run_curve(recipe, folder.path().string(), manifest, on_gpus));
  }
}

TEST(Dropout, MasksAreTheSameOnGpuAndCpu) {
  LOCKSTEP_NEEDS_GPU();
  BatchContext context;
  context.training = true;
  context.seed = 7;
  context.step = 12345;
  context.ids = {3, 1, 4, 1'000'000'007};
  const at::Tensor x = at::ones({4, 5, 6, 7});
  EXPECT_TRUE(
      dropout(x, 0.3, 2, context).equal(dropout(x.to(test_gpu().accelerator->device()), 0.3, 2, context).cpu()));
}

}  // namespace
}  // namespace lockstep::testing
