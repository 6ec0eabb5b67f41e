// Batch norm with its activation in one pass over memory, over the ranks where asked.
//
// Batch norm (Ioffe and Szegedy, 2015) with torch's state names and, unless told otherwise, its constants; running
// variance unbiased. Statistics in training are taken over the global batch, this rank's part, or groups
// (BatchNormStats); over the global batch, one sum of 2·channels + 1 doubles in forward and one of 2·channels in
// backward is exchanged. Input and output: float32, [n, c, h, w] (made channels-last if it is not) or [n, c]; n may be
// 0 on a rank. On other devices than the CPU the same by LibTorch's operations, in several passes, without waiting for
// the device. Errors: Error for another dtype, and for statistics of a single value. One thread calls; kernels use
// LibTorch's threads.
#pragma once
#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <optional>

#include "lockstep/config/run_config.hpp"
#include "lockstep/model/batch_context.hpp"

namespace lockstep {

struct NormConstants {
  double epsilon = 1e-5;  ///< added to the variance
  double momentum = 0.1;  ///< share of a step's statistics in the running ones
};

/// Whether the result may lie where the input lay: its caller made it for this layer alone, and wants it no more. Then a
/// pass that no backward follows (frozen layers, evaluation) needs no memory of its own.
enum class InputMemory { stays, may_be_taken };

/// y = activation(batch_norm(x)); without activation: batch norm alone.
class BatchNormActivation : public torch::nn::Module {
 public:
  BatchNormActivation(std::int64_t channels, std::optional<Activation> activation, BatchNormStats stats,
                      NormConstants constants = {});
  at::Tensor forward(const at::Tensor& x, const BatchContext& context, InputMemory memory = InputMemory::stays);
  BatchNormStats stats() const { return stats_; }
  const NormConstants& constants() const { return constants_; }
  /// Neither weight nor bias is trained: the running statistics are used in training too, and left alone.
  bool frozen() const { return !weight.requires_grad() && !bias.requires_grad(); }
  /// Whether a forward pass takes its statistics from the batch.
  bool measures(const BatchContext& context) const { return context.training && !frozen(); }

  at::Tensor weight, bias;               ///< [channels], parameters
  at::Tensor running_mean, running_var;  ///< [channels], buffers
  at::Tensor num_batches_tracked;        ///< [] int64, buffer

 private:
  std::optional<Activation> activation_;
  BatchNormStats stats_;
  NormConstants constants_;
};

/// The activation alone.
at::Tensor activate(const at::Tensor& x, Activation activation);

}  // namespace lockstep
