#include "lockstep/model/layer_summary.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace lockstep {
namespace {

/// Characters, where UTF-8 takes several bytes for one.
std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char byte) { return (static_cast<unsigned char>(byte) >> 6) != 2; }));
}

/// One line of the table; the second column is as wide as the widest kind.
std::string line(const std::string& name, const std::string& kind, std::size_t width, const std::string& output,
                 const std::string& parameters, const std::string& megaflops) {
  return fmt::format("{:<8}  {:<{}}  {:<16}  {:>12}  {:>12}\n", name, kind, width, output, parameters, megaflops);
}

std::string megaflops(std::int64_t flops) { return fmt::format("{:.2f}", static_cast<double>(flops) / 1e6); }

}  // namespace

std::string format_summary(const std::vector<LayerSummary>& layers) {
  const std::string total_kind = "forward pass; training costs about three times that";
  std::size_t width = characters(total_kind);
  for (const LayerSummary& layer : layers) width = std::max(width, characters(layer.kind));
  std::string text = line("layer", "what", width, "output", "parameters", "MFLOP/image");
  std::int64_t parameters = 0, flops = 0;
  for (const LayerSummary& layer : layers) {
    text += line(layer.name, layer.kind, width, fmt::format("[{}]", fmt::join(layer.output, ", ")),
                 std::to_string(layer.parameters), megaflops(layer.flops));
    parameters += layer.parameters;
    flops += layer.flops;
  }
  return text + line("total", total_kind, width, "", std::to_string(parameters), megaflops(flops));
}

}  // namespace lockstep
