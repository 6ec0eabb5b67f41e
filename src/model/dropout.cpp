#include "lockstep/model/dropout.hpp"

#include <torch/csrc/autograd/custom_function.h>

#include "lockstep/model/vector_kernels.hpp"
#include "model/rows.hpp"
#include "model/tensor_layers.hpp"

namespace lockstep {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct DropoutFunction : torch::autograd::Function<DropoutFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, double p, std::int64_t layer,
                            const BatchContext& context) {
    const Rows rows = as_rows(x, "dropout");
    const std::int64_t elements = rows.rows_per_sample * rows.channels;
    const at::Tensor keep = at::empty({rows.rows * rows.channels}, at::kByte);
    const at::Tensor y = empty_as(rows);
    const auto factor = static_cast<float>(1.0 / (1.0 - p));
    at::parallel_for(0, x.size(0), 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t sample = first; sample < last; ++sample) {
        std::uint8_t* mask = keep.data_ptr<std::uint8_t>() + sample * elements;
        kernels::dropout_mask(context.seed, static_cast<std::uint64_t>(context.step),
                              static_cast<std::uint64_t>(context.ids[static_cast<std::size_t>(sample)]),
                              static_cast<std::uint32_t>(layer), p, elements, mask);
        kernels::scale_kept(rows.data() + sample * elements, mask, elements, factor,
                            y.data_ptr<float>() + sample * elements);
      }
    });
    ctx->save_for_backward({keep});
    ctx->saved_data["factor"] = static_cast<double>(factor);
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& gradients) {
    const at::Tensor keep = ctx->get_saved_variables()[0];
    const auto factor = static_cast<float>(ctx->saved_data["factor"].toDouble());
    const Rows dy = as_rows(gradients[0], "dropout, backward");
    const at::Tensor dx = empty_as(dy);
    at::parallel_for(0, keep.numel(), 32768, [&](std::int64_t first, std::int64_t last) {
      kernels::scale_kept(dy.data() + first, keep.data_ptr<std::uint8_t>() + first, last - first, factor,
                          dx.data_ptr<float>() + first);
    });
    return {dx, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor dropout(const at::Tensor& x, double p, std::uint32_t layer, const BatchContext& context) {
  if (!context.training || p == 0) return x;
  if (!x.is_cpu()) return tensors::dropout(x, p, layer, context);
  return DropoutFunction::apply(x, p, static_cast<std::int64_t>(layer), context);
}

}  // namespace lockstep
