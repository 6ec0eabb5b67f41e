// Fifty updates of given parameters by given gradients, for optimisers_reference_test.py: an optimiser without a
// network.
//
//   optimiser_steps INPUT OUTPUT [options of lockstep train]
//
// INPUT (safetensors): "parameter.NAME", and "gradient.NAME" with a first dimension of steps; metadata "rates": the
// learning rate of each step, between blanks. OUTPUT: "parameter.NAME" at the end. Gradients go through buckets and are
// clipped as a training step clips them. Options about a data set are not looked at.
#include <ATen/ATen.h>

#include <map>
#include <sstream>

#include "lockstep/comm/serial.hpp"
#include "lockstep/config/run_config.hpp"
#include "lockstep/gradients/clip_gradients.hpp"
#include "lockstep/optim/optimiser.hpp"
#include "lockstep/weights/safetensors.hpp"

int main(int count, char** words) {
  using namespace lockstep;
  std::vector<std::string> options(words + 3, words + count);
  options.insert(options.end(), {"--data", "none"});
  const RunConfig config = RunConfig::from(Options::parse(Command::train, options));
  const WeightFile input = read_safetensors(words[1]);
  NamedTensors parameters;
  std::map<std::string, at::Tensor> gradients;
  for (const auto& [name, tensor] : input.tensors) {
    if (name.starts_with("parameter.")) parameters.emplace_back(name, tensor.clone().requires_grad_(true));
    if (name.starts_with("gradient.")) gradients["parameter." + name.substr(9)] = tensor;
  }
  const auto communicator = make_serial_communicator();
  GradientBuckets buckets(*communicator, parameters, {64, 1024});
  const auto optimiser = make_optimiser(config.optimiser, buckets.parameters());
  std::istringstream rates(input.metadata.at("rates"));
  double rate = 0;
  for (std::int64_t step = 0; rates >> rate; ++step) {
    for (const auto& [name, parameter] : buckets.parameters())
      at::Tensor(parameter.grad()).copy_(gradients.at(name)[step]);
    clip_gradients(buckets, config.clipping);
    optimiser->step(rate);
  }
  WeightFile output;
  for (const auto& [name, parameter] : parameters) output.tensors.emplace_back(name, parameter.detach());
  write_safetensors(words[2], output);
}
