#include "model/layers.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "model/initial_weights.hpp"

namespace lockstep {
namespace {

at::Tensor initial_weights(const Initial& initial, at::IntArrayRef shape, std::uint64_t seed, const std::string& name) {
  if (initial.spread == 0) return at::zeros(shape);
  if (initial.law == Initial::Law::normal) return normal_weights(shape, initial.spread, seed, name);
  return uniform_weights(shape, initial.spread, seed, name);
}

/// Into how many bands of rows to cut each of `samples` images, `height` rows high, before a 1×1 convolution of stride
/// 1. LibTorch sends one to oneDNN only from 16 samples or with several threads, else to a slower product of matrices;
/// bands of the same memory pass for samples (a ResNet50's step of 8 images on one thread, 2026-11-21: see the README).
std::int64_t bands_of(std::int64_t samples, std::int64_t height) {
  if (samples == 0 || samples >= 16 || at::get_num_threads() > 1) return 1;
  std::int64_t bands = 1;
  while (bands < height && (samples * bands < 16 || height % bands != 0)) ++bands;
  return bands;
}

/// Images [n, c, h, w], channels-last, as [n·bands, c, h / bands, w] and back: views.
at::Tensor with_samples(const at::Tensor& images, std::int64_t samples, std::int64_t height) {
  return images.permute({0, 2, 3, 1}).reshape({samples, height, images.size(3), images.size(1)}).permute({0, 3, 1, 2});
}

}  // namespace

ConvLayer::ConvLayer(const Conv& plan, std::uint64_t seed)
    : stride_{plan.stride, plan.stride}, padding_(plan.padding.begin(), plan.padding.end()), groups_(plan.groups) {
  const std::int64_t inputs = plan.inputs / plan.groups;
  const at::Tensor weight =
      initial_weights(plan.weight, {plan.outputs, inputs, plan.kernel[0], plan.kernel[1]}, seed, plan.name + ".weight");
  weight_ = register_parameter("weight", weight.contiguous(at::MemoryFormat::ChannelsLast));
  if (plan.bias)
    bias_ = register_parameter("bias", initial_weights(*plan.bias, {plan.outputs}, seed, plan.name + ".bias"));
  pointwise_ = plan.kernel == std::array<std::int64_t, 2>{1, 1} && plan.padding == std::array<std::int64_t, 2>{0, 0} &&
               plan.stride == 1 && plan.groups == 1;
}

at::Tensor ConvLayer::forward(const at::Tensor& x) const {
  const std::int64_t samples = x.size(0), height = x.size(2);
  const std::int64_t bands = pointwise_ && x.is_cpu() ? bands_of(samples, height) : 1;
  if (bands == 1) return at::conv2d(x, weight_, bias_, stride_, padding_, {1, 1}, groups_);
  return with_samples(at::conv2d(with_samples(x, samples * bands, height / bands), weight_, bias_), samples, height);
}

DenseLayer::DenseLayer(const Dense& plan, std::uint64_t seed) {
  weight_ = register_parameter("weight",
                               initial_weights(plan.weight, {plan.outputs, plan.inputs}, seed, plan.name + ".weight"));
  bias_ = register_parameter("bias", initial_weights(plan.bias, {plan.outputs}, seed, plan.name + ".bias"));
}

at::Tensor DenseLayer::forward(const at::Tensor& x) const { return at::linear(x, weight_, bias_); }

}  // namespace lockstep
