// The layers with weights that networks share, beside BatchNormActivation: convolution and dense layer.
//
// Weights lie as torch keeps them, [outputs, inputs / groups, rows, columns] (channels-last in memory) and [outputs,
// inputs]. Images: float32 [n, channels, h, w], channels-last. Initial weights are drawn as functions of (seed, name,
// element). One thread calls in training.
#pragma once
#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include "model/network_plan.hpp"

namespace lockstep {

class ConvLayer : public torch::nn::Module {
 public:
  ConvLayer(const Conv& plan, std::uint64_t seed);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  at::Tensor weight_, bias_;
  std::vector<std::int64_t> stride_, padding_;
  std::int64_t groups_;
  bool pointwise_;  // 1×1, over all channels, keeps the size
};

class DenseLayer : public torch::nn::Module {
 public:
  DenseLayer(const Dense& plan, std::uint64_t seed);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  at::Tensor weight_, bias_;
};

}  // namespace lockstep
