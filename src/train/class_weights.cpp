#include "train/class_weights.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "lockstep/core/error.hpp"
#include "lockstep/data/data_set.hpp"

namespace lockstep {
namespace {

std::vector<double> balanced(const Manifest& manifest, const std::string& split) {
  std::vector<double> counts(manifest.classes.size(), 0);
  for (const std::string& name : joined_splits(split)) {
    const SplitEntry& entry = manifest.split(name);
    for (std::size_t c = 0; c < counts.size(); ++c) counts[c] += static_cast<double>(entry.class_counts[c]);
  }
  double samples = 0, classes = 0;
  for (const double count : counts) {
    samples += count;
    classes += count > 0 ? 1 : 0;
  }
  for (double& count : counts) count = count > 0 ? samples / (classes * count) : 0;
  return counts;
}

}  // namespace

std::vector<double> class_weights_of(const ClassWeightConfig& config, const Manifest& manifest,
                                     const std::string& split) {
  if (config.balanced) return balanced(manifest, split);
  if (config.given.empty() || config.given.size() == manifest.classes.size()) return config.given;
  throw usage_error(fmt::format("{} weights for {} classes", config.given.size(), manifest.classes.size()),
                    "--class-weights",
                    fmt::format("give one for each, in this order: {}", fmt::join(manifest.classes, ", ")));
}

std::string describe_class_weights(const std::vector<double>& weights, const std::vector<std::string>& classes) {
  constexpr std::size_t shown = 8;
  std::vector<std::string> parts;
  for (std::size_t c = 0; c < std::min(shown, weights.size()); ++c)
    parts.push_back(fmt::format("{} {:.4g}", classes[c], weights[c]));
  if (weights.size() > shown) {
    const auto [least, most] = std::ranges::minmax(weights);
    parts.push_back(fmt::format("… ({:.4g} to {:.4g})", least, most));
  }
  return fmt::format("a sample's loss counts, by its class: {}", fmt::join(parts, ", "));
}

}  // namespace lockstep
