#include "lockstep/weights/input_statistics.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>
#include <numeric>
#include <string_view>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

constexpr std::string_view mean_key = "input_mean", std_key = "input_std";

/// Empty where the text is no list of finite numbers.
std::vector<double> numbers_of(std::string_view text) {
  std::vector<double> numbers;
  while (true) {
    const std::string_view part = text.substr(0, text.find(','));
    double value = 0;
    const auto [end, code] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (code != std::errc{} || end != part.data() + part.size() || !std::isfinite(value)) return {};
    numbers.push_back(value);
    if (part.size() == text.size()) return numbers;
    text.remove_prefix(part.size() + 1);
  }
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

InputStatistics InputStatistics::grey() const { return {{mean_of(mean)}, {mean_of(std)}}; }

std::optional<InputStatistics> input_statistics(const WeightFile& weights, const std::filesystem::path& file) {
  const auto mean = weights.metadata.find(std::string(mean_key)), std = weights.metadata.find(std::string(std_key));
  if (mean == weights.metadata.end() && std == weights.metadata.end()) return std::nullopt;
  InputStatistics found;
  if (mean != weights.metadata.end()) found.mean = numbers_of(mean->second);
  if (std != weights.metadata.end()) found.std = numbers_of(std->second);
  bool sane = !found.mean.empty() && found.mean.size() == found.std.size();
  for (const double value : found.std) sane = sane && value > 0;
  if (sane) return found;
  throw Error(fmt::format("{} and {} are not two lists of numbers, one for each channel", mean_key, std_key),
              file.string(), "write the file again, or take both out of its metadata");
}

void set_input_statistics(WeightFile& weights, const InputStatistics& statistics) {
  weights.metadata[std::string(mean_key)] = fmt::format("{}", fmt::join(statistics.mean, ","));
  weights.metadata[std::string(std_key)] = fmt::format("{}", fmt::join(statistics.std, ","));
}

}  // namespace lockstep
