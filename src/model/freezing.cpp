#include "lockstep/model/freezing.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <numeric>
#include <span>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

using Entries = std::span<const ParameterEntry>;

std::int64_t sum_of(Entries entries) {
  return std::accumulate(entries.begin(), entries.end(), std::int64_t{0},
                         [](std::int64_t sum, const ParameterEntry& entry) { return sum + entry.elements; });
}

/// ⌊fraction · count⌋ as a person means it: 0.29 · 100 is 28.999999999999996 in binary.
std::int64_t share_of(double fraction, std::int64_t count) {
  return static_cast<std::int64_t>(std::floor(fraction * static_cast<double>(count) + 1e-9));
}

/// Where each module begins, and the end: [module] → index of its first tensor.
std::vector<std::size_t> module_starts(Entries entries) {
  std::vector<std::size_t> starts;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (i == 0 || entries[i].module() != entries[i - 1].module()) starts.push_back(i);
  }
  starts.push_back(entries.size());
  return starts;
}

std::size_t frozen_tensors(Entries entries, const FreezeConfig& config) {
  switch (config.by) {
    case FreezeBy::tensors:
      return static_cast<std::size_t>(share_of(config.fraction, static_cast<std::int64_t>(entries.size())));
    case FreezeBy::modules: {
      const std::vector<std::size_t> starts = module_starts(entries);
      return starts[static_cast<std::size_t>(share_of(config.fraction, static_cast<std::int64_t>(starts.size()) - 1))];
    }
    case FreezeBy::parameters: {
      const std::int64_t most = share_of(config.fraction, sum_of(entries));
      std::size_t count = 0;
      for (std::int64_t sum = 0; count < entries.size() && sum + entries[count].elements <= most; ++count)
        sum += entries[count].elements;
      return count;
    }
  }
  return 0;
}

}  // namespace

std::int64_t TrainedPart::elements() const { return sum_of(parameters); }
std::int64_t TrainedPart::frozen_elements() const { return sum_of(Entries(parameters).first(frozen)); }

std::string TrainedPart::description() const {
  if (frozen == 0) return fmt::format("all {} parameter tensors are trained", parameters.size());
  const std::size_t modules = module_starts(parameters).size() - 1,
                    touched = module_starts(Entries(parameters).first(frozen)).size() - 1;
  const std::string &first = parameters.front().name, &last = parameters[frozen - 1].name;
  return fmt::format(
      "frozen: {}{}, {} of {} tensors in {} of {} modules, {:.2f} % of {} parameters; trained from {} on", first,
      frozen == 1 ? "" : " … " + last, frozen, parameters.size(), touched, modules,
      100.0 * static_cast<double>(frozen_elements()) / static_cast<double>(elements()), elements(),
      parameters[frozen].name);
}

std::string TrainedPart::frozen_list() const {
  const std::vector<std::size_t> starts = module_starts(parameters);
  std::vector<std::string> names;
  for (std::size_t m = 0; m + 1 < starts.size() && starts[m] < frozen; ++m) {
    if (starts[m + 1] <= frozen) {
      names.push_back(parameters[starts[m]].module());
    } else {
      for (std::size_t i = starts[m]; i < frozen; ++i) names.push_back(parameters[i].name);
    }
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

TrainedPart plan_freezing(std::vector<ParameterEntry> parameters, const FreezeConfig& config) {
  TrainedPart part{std::move(parameters), 0};
  part.frozen = frozen_tensors(part.parameters, config);
  if (part.frozen < part.parameters.size()) return part;
  throw Error("everything is frozen: nothing is left to train", fmt::format("--freeze-fraction {}", config.fraction),
              "give a share below 1", Exit::usage);
}

TrainedPart freeze(Model& model, const FreezeConfig& config) {
  std::vector<ParameterEntry> entries;
  const auto parameters = model.named_parameters();
  for (const auto& item : parameters) entries.push_back({item.key(), item.value().numel()});
  TrainedPart part = plan_freezing(std::move(entries), config);
  for (std::size_t i = 0; i < part.frozen; ++i) parameters[i].value().set_requires_grad(false);
  return part;
}

}  // namespace lockstep
