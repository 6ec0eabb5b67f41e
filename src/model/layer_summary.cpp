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

/// Of the first two columns: as wide as their widest entry.
struct Widths {
  std::size_t name, kind;
};

std::string line(const std::string& name, const std::string& kind, const Widths& widths, const std::string& output,
                 const std::string& parameters, const std::string& megaflops) {
  return fmt::format("{:<{}}  {:<{}}  {:<16}  {:>12}  {:>12}\n", name, widths.name, kind, widths.kind, output,
                     parameters, megaflops);
}

std::string megaflops(std::int64_t flops) { return fmt::format("{:.2f}", static_cast<double>(flops) / 1e6); }

}  // namespace

std::string format_summary(const std::vector<LayerSummary>& layers) {
  const std::string total_kind = "forward pass; training costs about three times that";
  Widths widths{8, characters(total_kind)};
  for (const LayerSummary& layer : layers) {
    widths.name = std::max(widths.name, layer.name.size());
    widths.kind = std::max(widths.kind, characters(layer.kind));
  }
  std::string text = line("layer", "what", widths, "output", "parameters", "MFLOP/image");
  std::int64_t parameters = 0, flops = 0;
  for (const LayerSummary& layer : layers) {
    text += line(layer.name, layer.kind, widths, fmt::format("[{}]", fmt::join(layer.output, ", ")),
                 std::to_string(layer.parameters), megaflops(layer.flops));
    parameters += layer.parameters;
    flops += layer.flops;
  }
  return text + line("total", total_kind, widths, "", std::to_string(parameters), megaflops(flops));
}

}  // namespace lockstep
