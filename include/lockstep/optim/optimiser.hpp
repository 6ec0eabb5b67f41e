// SGD, Adam and AdamW, with the update formulas of torch.optim (equal to it within rounding; see the tests).
//
//   SGD    (Sutskever et al., 2013; Nesterov's form as torch writes it): b = μb + g;  p −= lr·b, or lr·(g + μb)
//   Adam   (Kingma and Ba, 2015): L2 decay is added to the gradient
//   AdamW  (Loshchilov and Hutter, 2019): decay is decoupled, p −= lr·λ·p
//
// Parameters and gradients: float32 on one device, dense, of equal strides (GradientBuckets sees to that); the state
// has the same layout and costs 1 (SGD with momentum) or 2 (Adam) times the parameters' memory. Time O(parameters) a
// step, one pass on the CPU. One thread calls; the loops use LibTorch's threads. Every rank makes the same step from
// the same gradients.
#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lockstep/config/run_config.hpp"

namespace lockstep {

class Optimiser {
 public:
  virtual ~Optimiser() = default;
  /// Updates every parameter from its .grad at learning rate `lr`.
  virtual void step(double lr) = 0;
  /// What a resume needs beside the parameters: named tensors that share memory with the optimiser, and the steps made.
  virtual std::vector<std::pair<std::string, at::Tensor>> state() const = 0;
  virtual std::int64_t steps() const = 0;
  virtual void set_steps(std::int64_t steps) = 0;
};

/// `parameters`: those to be trained; they and their gradients must outlive the optimiser. Errors: a parameter without
/// a gradient of equal layout.
std::unique_ptr<Optimiser> make_optimiser(const OptimiserConfig& config,
                                          const std::vector<std::pair<std::string, at::Tensor>>& parameters);

}  // namespace lockstep
