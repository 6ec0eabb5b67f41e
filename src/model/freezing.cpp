#include "lockstep/model/freezing.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "lockstep/core/error.hpp"
#include "lockstep/core/near_name.hpp"

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

/// How many units there are to count.
std::int64_t units_of(Entries entries, FreezeBy by) {
  if (by == FreezeBy::tensors) return std::ssize(entries);
  return by == FreezeBy::modules ? std::ssize(module_starts(entries)) - 1 : sum_of(entries);
}

/// How many tensors the first `units` are.
std::size_t tensors_of(Entries entries, std::int64_t units, FreezeBy by) {
  if (by == FreezeBy::tensors) return static_cast<std::size_t>(units);
  if (by == FreezeBy::modules) return module_starts(entries)[static_cast<std::size_t>(units)];
  std::size_t count = 0;
  for (std::int64_t sum = 0; count < entries.size() && sum + entries[count].elements <= units; ++count)
    sum += entries[count].elements;
  return count;
}

bool is_inside(std::string_view name, std::string_view module) {
  return name.starts_with(module) && name.substr(module.size()).starts_with('.');
}

bool is_of(const ParameterEntry& entry, const std::vector<std::string>& heads) {
  return std::ranges::any_of(heads, [&](const std::string& head) { return is_inside(entry.name, head); });
}

void freeze_first(std::vector<ParameterEntry>& entries, const FreezeConfig& config) {
  const std::int64_t units = units_of(entries, config.by);
  const std::int64_t wanted = config.what == FreezeWhat::first ? config.first : share_of(config.fraction, units);
  const std::size_t count = tensors_of(entries, std::min(units, wanted), config.by);
  for (std::size_t i = 0; i < count; ++i) entries[i].frozen = true;
}

void freeze_fully_connected(std::vector<ParameterEntry>& entries, const std::vector<std::string>& heads) {
  std::size_t behind = 0;  // the last convolution that is no head
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].dimensions > 2 && !is_of(entries[i], heads)) behind = i + 1;
  }
  bool dense = false;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const bool head = is_of(entries[i], heads);
    dense = dense || (i >= behind && entries[i].dimensions == 2 && !head);
    entries[i].frozen = head || dense;
  }
}

/// Whether a text is of a pattern, in which * stands for any letters.
bool is_like(std::string_view text, std::string_view pattern) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return text == pattern;
  if (!text.starts_with(pattern.substr(0, star))) return false;
  for (std::size_t skipped = star; skipped <= text.size(); ++skipped) {
    if (is_like(text.substr(skipped), pattern.substr(star + 1))) return true;
  }
  return false;
}

/// A parameter's name and those of the modules around it: "layer1.0.conv1.weight" … "layer1".
std::vector<std::string> names_of(const ParameterEntry& entry) {
  std::vector<std::string> names;
  for (std::size_t end = entry.name.size(); end != std::string::npos && end > 0; end = entry.name.rfind('.', end - 1))
    names.push_back(entry.name.substr(0, end));
  return names;
}

Error unmatched(const std::vector<ParameterEntry>& entries, const std::string& pattern) {
  std::vector<std::string> all, outer;
  for (const ParameterEntry& entry : entries) {
    for (std::string& name : names_of(entry)) all.push_back(std::move(name));
    if (outer.empty() || outer.back() != all.back()) outer.push_back(all.back());
  }
  const std::string nearest = nearest_name(pattern, all);
  return usage_error(fmt::format("'{}' is the name of no module and no parameter of the network", pattern), "--freeze",
                     nearest.empty()
                         ? fmt::format("its parts are {}", fmt::join(outer, ", "))
                         : fmt::format("did you mean {}? Its parts are {}", nearest, fmt::join(outer, ", ")));
}

void freeze_named(std::vector<ParameterEntry>& entries, const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns) {
    bool any = false;
    for (ParameterEntry& entry : entries) {
      if (!std::ranges::any_of(names_of(entry), [&](const std::string& name) { return is_like(name, pattern); }))
        continue;
      any = entry.frozen = true;
    }
    if (!any) throw unmatched(entries, pattern);
  }
}

/// Runs of frozen tensors that follow one another, "first … last".
std::vector<std::string> frozen_runs(const std::vector<ParameterEntry>& entries) {
  std::vector<std::string> runs;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!entries[i].frozen) continue;
    const std::size_t first = i;
    while (i + 1 < entries.size() && entries[i + 1].frozen) ++i;
    runs.push_back(entries[first].name + (first == i ? "" : " … " + entries[i].name));
  }
  return runs;
}

std::vector<ParameterEntry> entries_of(const Model& model) {
  std::vector<ParameterEntry> entries;
  for (const auto& item : model.named_parameters())
    entries.push_back({item.key(), item.value().numel(), item.value().dim()});
  return entries;
}

}  // namespace

std::size_t TrainedPart::frozen() const {
  return static_cast<std::size_t>(std::ranges::count_if(parameters, &ParameterEntry::frozen));
}
std::size_t TrainedPart::frozen_prefix() const {
  const auto trained = std::ranges::find_if_not(parameters, &ParameterEntry::frozen);
  return static_cast<std::size_t>(trained - parameters.begin());
}
std::int64_t TrainedPart::elements() const { return sum_of(parameters); }
std::int64_t TrainedPart::frozen_elements() const {
  std::int64_t sum = 0;
  for (const ParameterEntry& entry : parameters) sum += entry.frozen ? entry.elements : 0;
  return sum;
}

std::string TrainedPart::description() const {
  const std::size_t count = frozen();
  if (count == 0) return fmt::format("all {} parameter tensors are trained", parameters.size());
  const std::vector<std::size_t> starts = module_starts(parameters);
  std::size_t touched = 0;
  for (std::size_t m = 0; m + 1 < starts.size(); ++m)
    touched +=
        std::ranges::any_of(Entries(parameters).subspan(starts[m], starts[m + 1] - starts[m]), &ParameterEntry::frozen);
  const bool prefix = count == frozen_prefix();
  std::vector<std::string> runs = frozen_runs(parameters);
  constexpr std::size_t shown = 3;
  const std::size_t more = runs.size() > shown ? runs.size() - shown : 0;
  runs.resize(runs.size() - more);
  return fmt::format("frozen: {}{}, {} of {} tensors in {} of {} modules, {:.2f} % of {} parameters{}",
                     fmt::join(runs, ", "), more > 0 ? fmt::format(" and {} more stretches", more) : "", count,
                     parameters.size(), touched, starts.size() - 1,
                     100.0 * static_cast<double>(frozen_elements()) / static_cast<double>(elements()), elements(),
                     prefix ? "; trained from " + parameters[count].name + " on" : "");
}

std::string TrainedPart::frozen_list() const {
  const std::vector<std::size_t> starts = module_starts(parameters);
  std::vector<std::string> names;
  for (std::size_t m = 0; m + 1 < starts.size(); ++m) {
    const Entries module = Entries(parameters).subspan(starts[m], starts[m + 1] - starts[m]);
    if (std::ranges::all_of(module, &ParameterEntry::frozen)) {
      names.push_back(module.front().module());
      continue;
    }
    for (const ParameterEntry& entry : module) {
      if (entry.frozen) names.push_back(entry.name);
    }
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

TrainedPart plan_freezing(std::vector<ParameterEntry> parameters, const std::vector<std::string>& heads,
                          const FreezeConfig& config) {
  const bool all = config.what == FreezeWhat::share && config.fraction >= 1;
  if (all || config.what == FreezeWhat::all_but_head) {
    for (ParameterEntry& entry : parameters) entry.frozen = !is_of(entry, heads);
  } else if (config.what == FreezeWhat::head) {
    freeze_fully_connected(parameters, heads);
  } else if (config.what == FreezeWhat::patterns) {
    freeze_named(parameters, config.patterns);
  } else {
    freeze_first(parameters, config);
  }
  TrainedPart part{std::move(parameters)};
  if (part.frozen() < part.parameters.size()) return part;
  throw usage_error("everything is frozen: nothing is left to train", "--freeze, --freeze-first, --freeze-fraction",
                    fmt::format("freeze less: the network has {} modules, the last of them {}",
                                units_of(part.parameters, FreezeBy::modules), part.parameters.back().module()));
}

TrainedPart freeze(Model& model, const FreezeConfig& config) {
  TrainedPart part = plan_freezing(entries_of(model), model.heads(), config);
  const auto parameters = model.named_parameters();
  for (const ParameterEntry& entry : part.parameters) parameters[entry.name].set_requires_grad(!entry.frozen);
  return part;
}

void require_only_unfreezing(const Model& model, const FreezeConfig& config) {
  TrainedPart before = plan_freezing(entries_of(model), model.heads(), config);
  for (std::size_t phase = 1; phase <= config.unfreezings.size(); ++phase) {
    TrainedPart part = plan_freezing(entries_of(model), model.heads(), config.in_phase(phase));
    for (std::size_t i = 0; i < part.parameters.size(); ++i) {
      if (!part.parameters[i].frozen || before.parameters[i].frozen) continue;
      const Unfreezing& at = config.unfreezings[phase - 1];
      throw usage_error(fmt::format("a first share of {} freezes {}, which was trained before epoch {}", at.share,
                                    part.parameters[i].name, at.epoch),
                        "--unfreeze-at", "give a smaller share, or freeze more to begin with");
    }
    before = std::move(part);
  }
}

void require_learnt(const TrainedPart& part, const PretrainedReport& report) {
  for (const ParameterEntry& entry : part.parameters) {
    if (!entry.frozen || !report.starts_anew(entry.name)) continue;
    throw usage_error(fmt::format("{} starts with random weights and would keep them", entry.name),
                      "--freeze, --freeze-first, --freeze-fraction",
                      "give weights of the same classes, freeze less, or say --allow-random-frozen");
  }
}

}  // namespace lockstep
