// SGD, Adam, AdamW, LARS and LAMB, with the formulas of their papers as torch.optim writes them (equal to it, and to
// timm's LAMB, within rounding; see the tests). g: gradient, p: parameter, λ: L2, κ: L1.
//
//   SGD    (Sutskever et al., 2013; Nesterov's form as torch writes it): b = μb + g;  p −= lr·b, or lr·(g + μb)
//   Adam   (Kingma and Ba, 2015)
//   AdamW  (Loshchilov and Hutter, 2019): Adam with decoupled decay
//   LARS   (You et al., 2017): r = η‖p‖ / (‖g‖ + λ‖p‖);  b = μb + lr·r·(g + λp);  p −= b
//   LAMB   (You et al., 2020): u = Adam's direction + λp;  p −= lr · ‖p‖/‖u‖ · u
//
// Coupled decay adds λp + κ·sign(p) to the gradient. Decoupled, p shrinks before the update: by lr·λ·p, then by lr·κ
// towards zero, where it stays. LARS and LAMB have the λ of their formulas and no κ. Parameters that are spared (norms
// and biases: fewer than two dimensions) have neither, and in LARS and LAMB r = 1 and ‖p‖/‖u‖ = 1; so it is where a
// norm is 0.
//
// Each parameter has a factor of the learning rate and counts its own steps, as torch's parameter groups do: one that
// begins to be trained later begins with Adam's bias correction of step 1.
//
// Parameters and gradients: float32 on one device, dense, of equal strides (GradientBuckets sees to that); the state
// has the same layout and costs 1 (SGD with momentum, LARS) or 2 (Adam, AdamW, LAMB) times the parameters' memory. Time
// O(parameters) a step, one pass on the CPU, two with LARS and LAMB. One thread calls; the loops use LibTorch's
// threads, whose number changes nothing. Every rank makes the same step from the same gradients.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lockstep/config/run_config.hpp"

namespace lockstep {

class Optimiser {
 public:
  virtual ~Optimiser() = default;
  /// Updates every parameter from its .grad at learning rate `lr` times its factor.
  virtual void step(double lr) = 0;
  /// What a resume needs beside the parameters: tensors named "<kind>.<parameter>" that share memory with the
  /// optimiser, and the steps made by parameter.
  virtual std::vector<std::pair<std::string, at::Tensor>> state() const = 0;
  virtual std::map<std::string, std::int64_t> steps() const = 0;
  /// Parameters that are not named keep their number.
  virtual void set_steps(const std::map<std::string, std::int64_t>& steps) = 0;
};

/// `parameters`: those to be trained; they and their gradients must outlive the optimiser. `factors`: [parameter], of
/// the learning rate; none: 1. Errors: a parameter without a gradient of equal layout.
std::unique_ptr<Optimiser> make_optimiser(const OptimiserConfig& config,
                                          const std::vector<std::pair<std::string, at::Tensor>>& parameters,
                                          const std::vector<double>& factors = {});

/// Whether a parameter is one of those that decay may spare: of a norm, or a bias.
bool is_norm_or_bias(const at::Tensor& parameter);

/// State and steps of the parameters that both train go on in `optimiser`; those that only it trains begin.
void take_over(Optimiser& optimiser, const Optimiser& before);

}  // namespace lockstep
