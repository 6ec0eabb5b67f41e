// A network of two convolutions (the first channels-last) and two dense layers, with weights that are a function of
// their names, and a batch that is a function of the sample: equal in every thread, process and order.
#pragma once
#include <ATen/ATen.h>

#include "lockstep/gradients/gradient_buckets.hpp"

namespace lockstep::testing {

inline at::Tensor wave(at::IntArrayRef shape, double phase, double scale) {
  const std::int64_t numel = c10::multiply_integers(shape);
  return (at::arange(numel, at::kDouble).mul(0.7).add(phase).sin().mul(scale)).to(at::kFloat).view(shape);
}

class SmallNetwork {
 public:
  SmallNetwork() {
    add("conv1.weight", wave({8, 3, 3, 3}, 1, 0.3).contiguous(at::MemoryFormat::ChannelsLast));
    add("conv1.bias", wave({8}, 2, 0.1));
    add("conv2.weight", wave({16, 8, 3, 3}, 3, 0.2));
    add("conv2.bias", wave({16}, 4, 0.1));
    add("dense1.weight", wave({32, 64}, 5, 0.2));
    add("dense1.bias", wave({32}, 6, 0.1));
    add("dense2.weight", wave({4, 32}, 7, 0.3));
    add("dense2.bias", wave({4}, 8, 0.1));
  }

  const NamedTensors& parameters() const { return parameters_; }
  const at::Tensor& parameter(std::size_t i) const { return parameters_[i].second; }

  /// [n, 3, 8, 8] → [n, 4]
  at::Tensor forward(const at::Tensor& images) const {
    at::Tensor x = at::relu(at::conv2d(images, parameter(0), parameter(1), 2, 1));
    x = at::relu(at::conv2d(x, parameter(2), parameter(3), 2, 1));
    x = at::relu(at::linear(x.flatten(1), parameter(4), parameter(5)));
    return at::linear(x, parameter(6), parameter(7));
  }

 private:
  void add(const char* name, at::Tensor values) { parameters_.emplace_back(name, values.set_requires_grad(true)); }

  NamedTensors parameters_;
};

/// Samples [first, first + count) of an endless set: [count, 3, 8, 8], channels-last.
inline at::Tensor images(std::int64_t first, std::int64_t count) {
  at::Tensor batch = at::empty({count, 3, 8, 8});
  for (std::int64_t i = 0; i < count; ++i) batch[i] = wave({3, 8, 8}, 11.0 * static_cast<double>(first + i), 1.0);
  return batch.contiguous(at::MemoryFormat::ChannelsLast);
}

/// Summed cross-entropy of these samples, divided by the samples of the global batch.
inline at::Tensor loss_part(const SmallNetwork& network, std::int64_t first, std::int64_t count, std::int64_t global) {
  const at::Tensor labels = at::arange(first, first + count, at::kLong).remainder(4);
  const at::Tensor log_probabilities = network.forward(images(first, count)).log_softmax(1);
  return log_probabilities.gather(1, labels.unsqueeze(1)).sum().neg() / static_cast<double>(global);
}

/// ‖a − b‖ / ‖b‖
inline double relative_difference(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

}  // namespace lockstep::testing
