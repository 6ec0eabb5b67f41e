#include "lockstep/config/fine_tuning.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace lockstep {
namespace {

struct Setting {
  std::string_view preset, option, value;
};

constexpr std::array settings{
    Setting{"small-similar", "freeze", "all-but-head"},
    Setting{"small-similar", "lr", "0.001"},
    Setting{"small-similar", "weight-decay", "0.001"},

    Setting{"small-different", "freeze-fraction", "0.5"},
    Setting{"small-different", "lr", "0.0003"},
    Setting{"small-different", "head-lr", "0.001"},
    Setting{"small-different", "weight-decay", "0.001"},
    Setting{"small-different", "augment", "true"},
    Setting{"small-different", "rotation", "10"},
    Setting{"small-different", "colour-jitter", "0.2"},

    Setting{"large-similar", "lr", "0.0001"},
    Setting{"large-similar", "head-lr", "0.001"},
    Setting{"large-similar", "layer-decay", "0.9"},
    Setting{"large-similar", "weight-decay", "0.0001"},
    Setting{"large-similar", "augment", "true"},
    Setting{"large-similar", "crop-scale", "0.5,1"},

    Setting{"large-different", "lr", "0.001"},
    Setting{"large-different", "weight-decay", "0.0001"},
    Setting{"large-different", "augment", "true"},
};

bool says_any(const Options& options, const std::vector<std::string_view>& names) {
  return std::ranges::any_of(names, [&](std::string_view name) { return options.said(name); });
}

/// Whether the user has settled what an option of a preset is about.
bool is_settled(const Options& said, std::string_view option) {
  if (option.starts_with("freeze")) return says_any(said, {"freeze", "freeze-first", "freeze-fraction"});
  if (option == "lr" || option == "head-lr") return says_any(said, {"lr", "head-lr"});
  if (option == "rotation" || option == "colour-jitter" || option == "crop-scale")
    return said.said(option) || (said.said("augment") && !said.flag("augment"));
  return said.said(option);
}

/// Options being filled in, and what was.
struct Filling {
  Options options;
  std::vector<std::string> filled;

  void set(std::string_view option, std::string_view value) {
    options = options.with(std::string(option), std::string(value));
    filled.push_back(fmt::format("--{} {}", option, value));
  }
};

/// The usual learning rate, and a tenth of it for what has learnt already.
constexpr std::string_view usual_lr = "0.001", low_lr = "0.0001";

}  // namespace

FineTuning with_transfer_preset(const Options& options) {
  if (!options.has("transfer")) return {options, ""};
  options.reject_unused("transfer", options.has("weights") || options.flag("allow-random-frozen"), "--weights");
  const std::string preset = options.text("transfer");
  Filling filling{options, {}};
  for (const Setting& setting : settings) {
    if (setting.preset == preset && !is_settled(options, setting.option)) filling.set(setting.option, setting.value);
  }
  if (filling.filled.empty()) return {options, ""};
  return {filling.options,
          fmt::format("--transfer {} means {}; what is said on its own wins", preset, fmt::join(filling.filled, " "))};
}

FineTuning with_weight_defaults(const Options& options, const std::string& normalise) {
  if (!options.has("weights")) return {options, ""};
  Filling filling{options, {}};
  const bool unsaid = !options.said("normalise") || options.text("normalise") == "weights";
  if (unsaid && !normalise.empty()) filling.set("normalise", normalise);
  if (!says_any(options, {"lr", "head-lr"})) {
    filling.set("lr", low_lr);
    filling.set("head-lr", usual_lr);
  }
  if (filling.filled.empty()) return {options, ""};
  return {filling.options, fmt::format("starting from weights, so with {}; say these options to choose otherwise",
                                       fmt::join(filling.filled, " "))};
}

}  // namespace lockstep
