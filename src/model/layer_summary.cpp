#include "lockstep/model/layer_summary.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lockstep {
namespace {

std::string shape_text(const std::vector<std::int64_t>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

}  // namespace

std::string format_summary(const std::vector<LayerSummary>& layers) {
  std::string text =
      fmt::format("{:<8}  {:<52}  {:<16}  {:>12}  {:>12}\n", "layer", "what", "output", "parameters", "MFLOP/image");
  std::int64_t parameters = 0, flops = 0;
  for (const LayerSummary& layer : layers) {
    text += fmt::format("{:<8}  {:<52}  {:<16}  {:>12}  {:>12.2f}\n", layer.name, layer.kind, shape_text(layer.output),
                        layer.parameters, static_cast<double>(layer.flops) / 1e6);
    parameters += layer.parameters;
    flops += layer.flops;
  }
  return text + fmt::format("{:<8}  {:<52}  {:<16}  {:>12}  {:>12.2f}\n", "total",
                            "forward pass; training costs about three times that", "", parameters,
                            static_cast<double>(flops) / 1e6);
}

}  // namespace lockstep
