#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <vector>

#include "lockstep/core/error.hpp"
#include "model/norm_share.hpp"
#include "model/tensor_layers.hpp"

namespace lockstep::tensors {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Batch norm of one group of samples as an affine map per channel. Statistics are float64 [c].
struct Group {
  std::int64_t begin = 0, samples = 0;  // of this rank's batch
  double values = 0;                    // per channel, over all ranks where statistics are global
  at::Tensor mean, variance, inverse;
  at::Tensor scale, shift, mean32;  // float32, shaped to broadcast over x
};

struct Record : torch::CustomClassHolder {
  std::optional<Activation> curve;
  bool from_batch = true;  // statistics came from the batch, so they carry gradient
  bool global = false;
  std::vector<Group> groups;
  SumOverRanks sum_over_ranks;
};

void check(const at::Tensor& x) {
  if (x.scalar_type() == at::kFloat && (x.dim() == 4 || x.dim() == 2)) return;
  throw Error("a tensor that is not float32 [n, c, h, w] or [n, c]", "batch norm", "convert the input");
}

/// [c] in the shape that broadcasts over x.
at::Tensor over(const at::Tensor& x, const at::Tensor& channels) {
  return x.dim() == 4 ? channels.view({1, -1, 1, 1}) : channels.view({1, -1});
}

/// float64 [c].
at::Tensor sum_per_channel(const at::Tensor& x) {
  return x.dim() == 4 ? x.sum({0, 2, 3}, false, at::kDouble) : x.sum({0}, false, at::kDouble);
}

std::int64_t values_per_sample(const at::Tensor& x) { return x.dim() == 4 ? x.size(2) * x.size(3) : 1; }

/// Σx and Σx² per channel, float64 [2c]. The squares are taken around this part's mean, in float32: around zero they
/// would lose the variance of a channel with a large mean, and in float64 cost twice the memory of x.
at::Tensor sums_of(const at::Tensor& x) {
  const auto values = static_cast<double>(x.size(0) * values_per_sample(x));
  const at::Tensor sum = sum_per_channel(x);
  const at::Tensor centre = (sum / std::max(1.0, values)).to(at::kFloat);
  const at::Tensor deviations = x - over(x, centre);
  const at::Tensor c = centre.to(at::kDouble);
  return at::cat({sum, sum_per_channel(deviations * deviations) + 2 * c * sum - values * c * c});
}

Group measure(const at::Tensor& x, std::int64_t begin, std::int64_t samples, bool global, const BatchContext& context) {
  Group group;
  group.begin = begin;
  group.samples = samples;
  // Known without asking the ranks, unlike on the CPU: reading an exchanged number would stop the host.
  group.values = static_cast<double>((global ? context.global_samples : samples) * values_per_sample(x));
  if (group.values == 1) throw single_value_error();
  at::Tensor sums = sums_of(x.narrow(0, begin, samples));
  if (global && context.sum_over_ranks) context.sum_over_ranks(sums);
  const at::Tensor means = sums.view({2, -1}) / std::max(1.0, group.values);
  group.mean = means[0];
  group.variance = (means[1] - means[0] * means[0]).clamp_min(0);
  return group;
}

std::vector<Group> measure_all(const at::Tensor& x, const BatchNormStats& stats, const BatchContext& context) {
  std::vector<Group> groups;
  if (stats.over == BatchNormStats::Over::global_batch) {
    groups.push_back(measure(x, 0, x.size(0), true, context));
  } else if (stats.over == BatchNormStats::Over::rank) {
    if (x.size(0) > 0) groups.push_back(measure(x, 0, x.size(0), false, context));
  } else {
    std::int64_t begin = 0;
    for (const std::int64_t samples : context.groups) {
      groups.push_back(measure(x, begin, samples, false, context));
      begin += samples;
    }
  }
  return groups;
}

Group running_group(const at::Tensor& x, const BatchNormActivation& layer) {
  Group group;
  group.samples = x.size(0);
  group.values = static_cast<double>(x.size(0) * values_per_sample(x));
  group.mean = layer.running_mean.to(at::kDouble);
  group.variance = layer.running_var.to(at::kDouble);
  return group;
}

void finish_affine(Group& group, const at::Tensor& x, const BatchNormActivation& layer) {
  group.inverse = (group.variance + layer.constants().epsilon).rsqrt();
  const at::Tensor scale = layer.weight.to(at::kDouble) * group.inverse;
  group.scale = over(x, scale.to(at::kFloat));
  group.shift = over(x, (layer.bias.to(at::kDouble) - scale * group.mean).to(at::kFloat));
  group.mean32 = over(x, group.mean.to(at::kFloat));
}

void update_running(BatchNormActivation& layer, const std::vector<Group>& groups, double share) {
  const double m = layer.constants().momentum;
  at::Tensor mean = layer.running_mean.to(at::kDouble) * (1 - m),
             variance = layer.running_var.to(at::kDouble) * (1 - m);
  for (const Group& group : groups) {
    const double unbiased = group.values > 1 ? group.values / (group.values - 1) : 1.0;
    mean.add_(group.mean, m * share);
    variance.add_(group.variance, m * share * unbiased);
  }
  layer.running_mean.copy_(mean);
  layer.running_var.copy_(variance);
  layer.num_batches_tracked.add_(1);
}

at::Tensor affine(const Group& group, const at::Tensor& x) { return at::addcmul(group.shift, x, group.scale); }

at::Tensor curve_of(at::Tensor z, std::optional<Activation> curve) {
  if (!curve) return z;
  switch (*curve) {
    case Activation::relu:
      return z.relu_();
    case Activation::silu:
      return at::silu_(z);
    case Activation::mish:
      return at::mish_(z);
    case Activation::hardswish:
      return at::hardswish_(z);
    case Activation::gelu:
      return at::gelu_(z);
  }
  return z;
}

/// dy · curve'(z).
at::Tensor curve_gradient(const at::Tensor& dy, const at::Tensor& z, std::optional<Activation> curve) {
  if (!curve) return dy;
  switch (*curve) {
    case Activation::relu:
      return at::threshold_backward(dy, z, 0);
    case Activation::silu:
      return at::silu_backward(dy, z);
    case Activation::mish:
      return at::mish_backward(dy, z);
    case Activation::hardswish:
      return at::hardswish_backward(dy, z);
    case Activation::gelu:
      return at::gelu_backward(dy, z);
  }
  return dy;
}

at::Tensor joined(const std::vector<at::Tensor>& parts, const at::Tensor& like) {
  if (parts.empty()) return at::empty_like(like);
  return parts.size() == 1 ? parts[0] : at::cat(parts);
}

struct NormFunction : torch::autograd::Function<NormFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                            const c10::intrusive_ptr<Record>& record) {
    std::vector<at::Tensor> parts;
    for (const Group& group : record->groups)
      parts.push_back(curve_of(affine(group, x.narrow(0, group.begin, group.samples)), record->curve));
    // Only the input is kept: the affine map is cheaper to repeat than to store.
    ctx->save_for_backward({x, weight, bias});
    ctx->saved_data["record"] = c10::IValue::make_capsule(record);
    return joined(parts, x);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& gradients) {
    const variable_list saved = ctx->get_saved_variables();
    const auto record = c10::static_intrusive_pointer_cast<Record>(ctx->saved_data["record"].toCapsule());
    const at::Tensor &x = saved[0], &weight = saved[1];
    at::Tensor d_weight = at::zeros({x.size(1)}, x.options().dtype(at::kDouble)), d_bias = at::zeros_like(d_weight);
    std::vector<at::Tensor> parts;
    for (const Group& group : record->groups) {
      parts.push_back(backward_group(*record, group, x.narrow(0, group.begin, group.samples),
                                     gradients[0].narrow(0, group.begin, group.samples), weight, d_weight, d_bias));
    }
    return {joined(parts, x), d_weight.to(at::kFloat), d_bias.to(at::kFloat), at::Tensor()};
  }

 private:
  static at::Tensor backward_group(const Record& record, const Group& group, const at::Tensor& x, const at::Tensor& dy,
                                   const at::Tensor& weight, at::Tensor& d_weight, at::Tensor& d_bias) {
    const at::Tensor dz = record.curve ? curve_gradient(dy, affine(group, x), record.curve) : dy;
    at::Tensor sums = at::cat({sum_per_channel(dz), sum_per_channel(dz * (x - group.mean32))});
    // The parameters' gradients are this rank's share: the reducer sums them. The input's needs the global sums now.
    d_bias.add_(sums.view({2, -1})[0]);
    d_weight.add_(sums.view({2, -1})[1] * group.inverse);
    if (record.global && record.sum_over_ranks) record.sum_over_ranks(sums);
    // dx = w·i·(dz − Σdz/N − x̂·Σ(dz·x̂)/N) with x̂ = (x − m)·i, as a·dz + b·x + k.
    const at::Tensor factor = weight.to(at::kDouble) * group.inverse;
    const auto per_x = [&](const at::Tensor& values) { return over(x, values.to(at::kFloat)); };
    if (!record.from_batch) return dz * per_x(factor);
    const at::Tensor means = sums.view({2, -1}) / std::max(1.0, group.values);
    const at::Tensor dot = means[1] * group.inverse * group.inverse;
    const at::Tensor k = factor * (dot * group.mean - means[0]);
    return at::addcmul(per_x(k), x, per_x(-factor * dot)).addcmul_(dz, per_x(factor));
  }
};

}  // namespace

at::Tensor batch_norm(BatchNormActivation& layer, std::optional<Activation> activation, const at::Tensor& x,
                      const BatchContext& context) {
  check(x);
  const auto record = c10::make_intrusive<Record>();
  record->curve = activation;
  record->from_batch = layer.measures(context);
  record->global = record->from_batch && layer.stats().over == BatchNormStats::Over::global_batch;
  record->sum_over_ranks = context.sum_over_ranks;
  {
    const at::NoGradGuard no_grad;
    const at::Tensor values = x.detach();
    if (record->from_batch) {
      record->groups = measure_all(values, layer.stats(), context);
      update_running(layer, record->groups, group_share(layer.stats(), context));
    } else {
      record->groups = {running_group(values, layer)};
    }
    for (Group& group : record->groups) finish_affine(group, values, layer);
  }
  return NormFunction::apply(x, layer.weight, layer.bias, record);
}

at::Tensor activate(const at::Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::relu:
      return at::relu(x);
    case Activation::gelu:
      return at::gelu(x);
    case Activation::silu:
      return at::silu(x);
    case Activation::mish:
      return at::mish(x);
    case Activation::hardswish:
      return at::hardswish(x);
  }
  return x;
}

}  // namespace lockstep::tensors
