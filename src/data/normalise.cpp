#include "data/normalise.hpp"

#include <ATen/ops/tensor.h>

namespace lockstep {

Normaliser::Normaliser(const ChannelScale& scale, c10::Device device) {
  std::vector<float> factors;
  for (const float deviation : scale.std) factors.push_back(1.0f / deviation);
  mean_ = at::tensor(at::ArrayRef<float>(scale.mean), at::kFloat).view({1, -1, 1, 1}).to(device);
  factor_ = at::tensor(at::ArrayRef<float>(factors), at::kFloat).view({1, -1, 1, 1}).to(device);
}

at::Tensor Normaliser::operator()(const at::Tensor& images) const {
  if (images.scalar_type() != at::kByte) return images;
  return images.to(at::kFloat).sub_(mean_).mul_(factor_);
}

}  // namespace lockstep
