#include "lockstep/gradients/gradient_buckets.hpp"

#include <fmt/format.h>

#include <numeric>
#include <set>

namespace lockstep {
namespace {

void check_parameter(const std::string& name, const at::Tensor& parameter, c10::Device device) {
  if (parameter.scalar_type() != at::kFloat) {
    throw Error(fmt::format("a trained parameter of type {}", c10::toString(parameter.scalar_type())), name,
                "keep parameters in float32");
  }
  if (parameter.device() != device) {
    throw Error(fmt::format("parameter on {}, gradients are exchanged on {}", parameter.device().str(), device.str()),
                name, "move the model to the communicator's device first");
  }
  if (!parameter.is_leaf() || !parameter.is_non_overlapping_and_dense()) {
    throw Error("a parameter that is no leaf of the graph or has gaps in memory", name,
                "register contiguous or channels-last tensors that own their values");
  }
}

NamedTensors trained(const NamedTensors& all, c10::Device device) {
  NamedTensors parameters;
  std::set<const void*> seen;
  for (const auto& [name, tensor] : all) {
    if (!tensor.requires_grad() || !seen.insert(tensor.unsafeGetTensorImpl()).second) continue;
    check_parameter(name, tensor, device);
    parameters.emplace_back(name, tensor);
  }
  return parameters;
}

BucketPlan plan_for(const NamedTensors& parameters, const BucketSizes& sizes) {
  std::vector<ParameterSize> list;
  for (const auto& [name, tensor] : parameters) {
    list.push_back({name, tensor.numel(), static_cast<std::int64_t>(tensor.element_size())});
  }
  return plan_buckets(list, sizes);
}

}  // namespace

GradientBuckets::GradientBuckets(Communicator& communicator, const NamedTensors& parameters, const BucketSizes& sizes)
    : parameters_(trained(parameters, communicator.device())), plan_(plan_for(parameters_, sizes)) {
  for (const BucketShape& shape : plan_.buckets) buckets_.push_back(communicator.buffer(shape.numel, at::kFloat));
  for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i].second.mutable_grad() = view(i);
}

at::Tensor GradientBuckets::view(std::size_t i) const {
  const at::Tensor& parameter = parameters_[i].second;
  const BucketSlot& slot = plan_.slots[i];
  return buckets_[slot.bucket].as_strided(parameter.sizes(), parameter.strides(), slot.offset);
}

std::int64_t GradientBuckets::bytes() const {
  return std::accumulate(plan_.buckets.begin(), plan_.buckets.end(), std::int64_t{0},
                         [](std::int64_t sum, const BucketShape& shape) { return sum + shape.bytes(); });
}

void GradientBuckets::zero() {
  for (at::Tensor& bucket : buckets_) bucket.zero_();
}

void GradientBuckets::check_view(std::size_t i) const {
  const auto& [name, parameter] = parameters_[i];
  const BucketSlot& slot = plan_.slots[i];
  const auto* place = buckets_[slot.bucket].const_data_ptr<float>() + slot.offset;
  const at::Tensor& gradient = parameter.grad();
  if (gradient.defined() && gradient.const_data_ptr() == place && gradient.strides() == parameter.strides()) return;
  throw Error("the gradient no longer lies in its bucket", name,
              "zero gradients by GradientBuckets::zero(), never by zero_grad(), and leave memory format and device of "
              "parameters alone once their buckets are made");
}

}  // namespace lockstep
