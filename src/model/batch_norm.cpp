#include "lockstep/model/batch_norm.hpp"

#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "lockstep/model/vector_kernels.hpp"
#include "model/norm_share.hpp"
#include "model/rows.hpp"
#include "model/tensor_layers.hpp"

namespace lockstep {
namespace {

using kernels::Curve;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Mean, 1/sqrt(variance + ε) and variance of one group of rows.
struct GroupStatistics {
  std::int64_t begin = 0, end = 0;     // rows on this rank
  double count = 0;                    // rows over which the statistics are taken, on all ranks where they are global
  std::vector<double> mean, variance;  // [channel]
  std::vector<float> scale, shift, mean32, inverse;  // what the kernels take
};

/// This rank's sums become those of all ranks.
void exchange(std::vector<double>& sums, const SumOverRanks& sum_over_ranks) {
  if (!sum_over_ranks) return;
  at::Tensor view = at::from_blob(sums.data(), {static_cast<std::int64_t>(sums.size())}, at::kDouble);
  sum_over_ranks(view);
}

GroupStatistics measure(const Rows& x, std::int64_t begin, std::int64_t end, bool global, const BatchContext& context) {
  const auto c = static_cast<std::size_t>(x.channels);
  std::vector<double> sums =
      sum_over_rows(begin, end, 2 * x.channels, x.channels, [&](std::int64_t first, std::int64_t last, double* out) {
        kernels::channel_sums(x.data() + first * x.channels, last - first, x.channels, out, out + c);
      });
  sums.push_back(static_cast<double>(end - begin));
  if (global) exchange(sums, context.sum_over_ranks);
  GroupStatistics group{begin, end, sums.back(), {}, {}, {}, {}, {}, {}};
  if (group.count == 1) throw single_value_error();
  const double n = std::max(1.0, group.count);
  for (std::size_t i = 0; i < c; ++i) {
    const double mean = sums[i] / n;
    group.mean.push_back(mean);
    group.variance.push_back(std::max(0.0, sums[c + i] / n - mean * mean));
  }
  return group;
}

/// Batch norm as one affine map per channel: x·scale + shift.
void finish_affine(GroupStatistics& group, const BatchNormActivation& layer) {
  const float *w = layer.weight.data_ptr<float>(), *b = layer.bias.data_ptr<float>();
  for (std::size_t i = 0; i < group.mean.size(); ++i) {
    const double inverse = 1.0 / std::sqrt(group.variance[i] + layer.constants().epsilon);
    group.inverse.push_back(static_cast<float>(inverse));
    group.mean32.push_back(static_cast<float>(group.mean[i]));
    group.scale.push_back(static_cast<float>(w[i] * inverse));
    group.shift.push_back(static_cast<float>(b[i] - w[i] * inverse * group.mean[i]));
  }
}

/// What backward needs beside the input; lives in the graph.
struct NormRecord : torch::CustomClassHolder {
  Curve curve = Curve::identity;
  bool from_batch = true;  // statistics came from the batch, so they carry gradient
  bool global = false;
  std::vector<GroupStatistics> groups;
  SumOverRanks sum_over_ranks;
};

/// `y` is laid out as x, or is its tensor.
void apply_affine(const NormRecord& record, const Rows& x, const at::Tensor& y) {
  for (const GroupStatistics& group : record.groups) {
    for_rows(group.begin, group.end, x.channels, [&](std::int64_t first, std::int64_t last) {
      const std::int64_t at = first * x.channels;
      kernels::affine_curve(record.curve, x.data() + at, last - first, x.channels, group.scale.data(),
                            group.shift.data(), y.data_ptr<float>() + at);
    });
  }
}

struct NormFunction : torch::autograd::Function<NormFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                            const c10::intrusive_ptr<NormRecord>& record) {
    const Rows rows = as_rows(x, "batch norm");
    const at::Tensor y = empty_as(rows);
    apply_affine(*record, rows, y);
    ctx->save_for_backward({rows.tensor, weight, bias});
    ctx->saved_data["record"] = c10::IValue::make_capsule(record);
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& gradients) {
    const variable_list saved = ctx->get_saved_variables();
    const auto record = c10::static_intrusive_pointer_cast<NormRecord>(ctx->saved_data["record"].toCapsule());
    const Rows x = as_rows(saved[0], "batch norm, backward"), dy = as_rows(gradients[0], "batch norm, backward");
    const at::Tensor dx = empty_as(x);
    std::vector<double> d_weight(static_cast<std::size_t>(x.channels)), d_bias(d_weight.size());
    for (const GroupStatistics& group : record->groups)
      backward_group(*record, group, x, dy, saved[1], dx, d_weight, d_bias);
    const auto to_tensor = [](const std::vector<double>& values) {
      return at::tensor(at::ArrayRef<double>(values), at::kDouble).to(at::kFloat);
    };
    return {dx, to_tensor(d_weight), to_tensor(d_bias), at::Tensor()};
  }

 private:
  static void backward_group(const NormRecord& record, const GroupStatistics& group, const Rows& x, const Rows& dy,
                             const at::Tensor& weight, const at::Tensor& dx, std::vector<double>& d_weight,
                             std::vector<double>& d_bias) {
    const auto c = static_cast<std::size_t>(x.channels);
    std::vector<double> sums = sum_over_rows(
        group.begin, group.end, 2 * x.channels, x.channels, [&](std::int64_t first, std::int64_t last, double* out) {
          const std::int64_t at = first * x.channels;
          kernels::affine_curve_gradient(record.curve, x.data() + at, dy.data() + at, last - first, x.channels,
                                         group.scale.data(), group.shift.data(), group.mean32.data(),
                                         dx.data_ptr<float>() + at, out, out + c);
        });
    // The parameters' gradients are this rank's share: the reducer sums them. The input's needs the global sums now.
    for (std::size_t i = 0; i < c; ++i) {
      d_bias[i] += sums[i];
      d_weight[i] += sums[c + i] * group.inverse[i];
    }
    if (record.global) exchange(sums, record.sum_over_ranks);
    // dx = w·i·(dz − Σdz/N − x̂·Σ(dz·x̂)/N) with x̂ = (x − m)·i, as a·dz + b·x + k.
    const float* w = weight.data_ptr<float>();
    std::vector<float> a(c), b(c), k(c);
    const double n = std::max(1.0, group.count);
    for (std::size_t i = 0; i < c; ++i) {
      const double factor = static_cast<double>(w[i]) * group.inverse[i];
      const double dot = record.from_batch ? sums[c + i] * group.inverse[i] * group.inverse[i] / n : 0.0;
      const double mean_dz = record.from_batch ? sums[i] / n : 0.0;
      a[i] = static_cast<float>(factor);
      b[i] = static_cast<float>(-factor * dot);
      k[i] = static_cast<float>(factor * (dot * group.mean[i] - mean_dz));
    }
    for_rows(group.begin, group.end, x.channels, [&](std::int64_t first, std::int64_t last) {
      const std::int64_t at = first * x.channels;
      kernels::affine_combine(x.data() + at, last - first, x.channels, a.data(), b.data(), k.data(),
                              dx.data_ptr<float>() + at);
    });
  }
};

std::optional<Curve> fused_curve(std::optional<Activation> activation) {
  if (!activation) return Curve::identity;
  switch (*activation) {
    case Activation::relu:
      return Curve::relu;
    case Activation::silu:
      return Curve::silu;
    case Activation::mish:
      return Curve::mish;
    case Activation::hardswish:
      return Curve::hardswish;
    case Activation::gelu:
      return std::nullopt;  // its erf comes from LibTorch
  }
  return std::nullopt;
}

/// A curve without batch norm: the affine map is the identity. For Mish, which LibTorch runs scalar on the CPU (720 ms
/// against 113 ms for SiLU on one tensor, two cores, 2026-11-21).
at::Tensor fused_activation(const at::Tensor& x, Curve curve) {
  const auto record = c10::make_intrusive<NormRecord>();
  record->curve = curve;
  record->from_batch = false;
  const Rows rows = as_rows(x.detach(), "activation");
  const auto c = static_cast<std::size_t>(rows.channels);
  const std::vector<float> ones(c, 1.0f), zeros(c, 0.0f);
  record->groups = {
      {0, rows.rows, 1.0, std::vector<double>(c, 0.0), std::vector<double>(c, 1.0), ones, zeros, zeros, ones}};
  return NormFunction::apply(x, at::ones({rows.channels}), at::zeros({rows.channels}), record);
}

/// Adds this rank's share of a step to the running statistics so that their mean over the ranks is what one rank with
/// the whole batch would have: each rank's contribution is weighted by its share of the groups, times the ranks.
void update_running(BatchNormActivation& layer, const std::vector<GroupStatistics>& groups, double share) {
  float *mean = layer.running_mean.data_ptr<float>(), *variance = layer.running_var.data_ptr<float>();
  const double m = layer.constants().momentum;
  for (std::int64_t c = 0; c < layer.running_mean.numel(); ++c) {
    double group_mean = 0, group_variance = 0;
    for (const GroupStatistics& group : groups) {
      const double unbiased = group.count > 1 ? group.count / (group.count - 1) : 1.0;
      group_mean += group.mean[static_cast<std::size_t>(c)];
      group_variance += group.variance[static_cast<std::size_t>(c)] * unbiased;
    }
    mean[c] = static_cast<float>((1 - m) * mean[c] + m * share * group_mean);
    variance[c] = static_cast<float>((1 - m) * variance[c] + m * share * group_variance);
  }
  layer.num_batches_tracked.add_(1);
}

std::vector<GroupStatistics> training_groups(const Rows& x, const BatchNormStats& stats, const BatchContext& context) {
  std::vector<GroupStatistics> groups;
  if (stats.over == BatchNormStats::Over::global_batch) {
    groups.push_back(measure(x, 0, x.rows, true, context));
  } else if (stats.over == BatchNormStats::Over::rank) {
    if (x.rows > 0) groups.push_back(measure(x, 0, x.rows, false, context));
  } else {
    std::int64_t row = 0;
    for (const std::int64_t samples : context.groups) {
      groups.push_back(measure(x, row, row + samples * x.rows_per_sample, false, context));
      row = groups.back().end;
    }
  }
  return groups;
}

/// Without backward nobody asks for x again.
at::Tensor normalised_in_place(const at::Tensor& x, const NormRecord& record) {
  const at::NoGradGuard no_grad;
  const Rows rows = as_rows(x, "batch norm");
  apply_affine(record, rows, rows.tensor);
  return rows.tensor;
}

GroupStatistics running_group(const Rows& x, const BatchNormActivation& layer) {
  GroupStatistics group{0, x.rows, static_cast<double>(x.rows), {}, {}, {}, {}, {}, {}};
  const float *mean = layer.running_mean.data_ptr<float>(), *variance = layer.running_var.data_ptr<float>();
  group.mean.assign(mean, mean + x.channels);
  group.variance.assign(variance, variance + x.channels);
  return group;
}

}  // namespace

BatchNormActivation::BatchNormActivation(std::int64_t channels, std::optional<Activation> activation,
                                         BatchNormStats stats, NormConstants constants)
    : activation_(activation), stats_(stats), constants_(constants) {
  weight = register_parameter("weight", at::ones({channels}));
  bias = register_parameter("bias", at::zeros({channels}));
  running_mean = register_buffer("running_mean", at::zeros({channels}));
  running_var = register_buffer("running_var", at::ones({channels}));
  num_batches_tracked = register_buffer("num_batches_tracked", at::zeros({}, at::kLong));
}

at::Tensor BatchNormActivation::forward(const at::Tensor& x, const BatchContext& context, InputMemory memory) {
  if (!x.is_cpu()) return tensors::batch_norm(*this, activation_, x, context);
  const auto record = c10::make_intrusive<NormRecord>();
  const std::optional<Curve> curve = fused_curve(activation_);
  record->curve = curve.value_or(Curve::identity);
  record->from_batch = measures(context);
  record->global = record->from_batch && stats_.over == BatchNormStats::Over::global_batch;
  record->sum_over_ranks = context.sum_over_ranks;
  {
    const at::NoGradGuard no_grad;
    const Rows rows = as_rows(x.detach(), "batch norm");
    if (record->from_batch) {
      record->groups = training_groups(rows, stats_, context);
      update_running(*this, record->groups, group_share(stats_, context));
    } else {
      record->groups = {running_group(rows, *this)};
    }
    for (GroupStatistics& group : record->groups) finish_affine(group, *this);
  }
  const bool recorded = at::GradMode::is_enabled() && (x.requires_grad() || !frozen());
  const at::Tensor y = memory == InputMemory::may_be_taken && !recorded ? normalised_in_place(x, *record)
                                                                         : NormFunction::apply(x, weight, bias, record);
  return curve ? y : activate(y, *activation_);
}

at::Tensor activate(const at::Tensor& x, Activation activation) {
  if (!x.is_cpu() || activation != Activation::mish) return tensors::activate(x, activation);
  return fused_activation(x, Curve::mish);
}

}  // namespace lockstep
