#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "config/choices.hpp"
#include "config/option_values.hpp"
#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

constexpr Names<Activation, 5> activations{{{"relu", Activation::relu},
                                            {"gelu", Activation::gelu},
                                            {"silu", Activation::silu},
                                            {"mish", Activation::mish},
                                            {"hardswish", Activation::hardswish}}};
constexpr Names<FreezeBy, 3> freeze_units{
    {{"tensors", FreezeBy::tensors}, {"modules", FreezeBy::modules}, {"parameters", FreezeBy::parameters}}};
/// What describes the custom CNN and nothing else.
constexpr std::string_view custom_cnn_options[] = {"filters",      "kernels",       "activation", "batch-norm",
                                                   "dropout-conv", "dropout-dense", "dense"};

/// One value for all layers, or one per layer.
template <typename T>
std::vector<T> per_layer(const Options& options, std::string_view name, std::vector<T> given, std::size_t layers) {
  if (given.size() == 1) given.resize(layers, given.front());
  if (given.size() != layers) {
    options.reject(name, fmt::format("{} values for {} layers", given.size(), layers),
                   fmt::format("give one value, or one for each of the {} layers", layers));
  }
  return given;
}

BatchNormStats batch_norm_stats(const Options& options) {
  const std::string text = options.text("batch-norm-stats");
  if (text == "global") return {BatchNormStats::Over::global_batch, 0};
  if (text == "rank") return {BatchNormStats::Over::rank, 0};
  if (text.starts_with("group:")) {
    std::int64_t group = 0;
    const char* end = text.data() + text.size();
    const auto [stop, code] = std::from_chars(text.data() + 6, end, group);
    if (code == std::errc{} && stop == end && group >= 2) return {BatchNormStats::Over::group, group};
  }
  options.reject("batch-norm-stats", fmt::format("'{}' is not global, rank or group:N", text),
                 "a group has at least 2 samples: group:16 for example");
}

CustomCnnConfig custom_cnn_config(const Options& options) {
  CustomCnnConfig config;
  config.filters = options.integers("filters");
  config.kernels = per_layer(options, "kernels", options.integers("kernels"), config.filters.size());
  for (const std::int64_t kernel : config.kernels) {
    if (kernel % 2 == 0)
      options.reject("kernels", fmt::format("an even kernel side ({})", kernel), "odd sides keep the image's size");
  }
  config.dense = options.integers("dense");
  std::vector<Activation> given;
  for (const std::string& name : options.texts("activation")) given.push_back(kind_of(activations, name));
  config.activations = per_layer(options, "activation", given, config.filters.size() + config.dense.size());
  config.dropout_conv = per_layer(options, "dropout-conv", options.reals("dropout-conv"), config.filters.size());
  config.dropout_dense = per_layer(options, "dropout-dense", options.reals("dropout-dense"), config.dense.size());
  config.batch_norm = options.flag("batch-norm");
  return config;
}

/// A network of fixed layers takes no options about layers. The record of a run holds their defaults; those pass.
void reject_custom_cnn_options(const Options& options) {
  for (const std::string_view name : custom_cnn_options) {
    if (!options.changed(name)) continue;
    options.reject(name, fmt::format("{} has its own layers: --{} is the custom CNN's", options.text("model"), name),
                   fmt::format("leave --{} out, or --model", name));
  }
}

std::optional<double> dropout_of(const Options& options, const Architecture& architecture) {
  if (!options.has("dropout")) return std::nullopt;
  if (!architecture.dropout) {
    const bool custom = architecture.kind == ModelKind::custom;
    options.reject("dropout", fmt::format("{} has no dropout of its own", architecture.name),
                   custom ? "the custom CNN's are --dropout-conv and --dropout-dense" : "leave --dropout out");
  }
  return options.real("dropout");
}

/// What --freeze says: a part by its name, or patterns.
void read_freeze(const Options& options, FreezeConfig& config) {
  config.patterns = options.texts("freeze");
  const bool head = std::ranges::find(config.patterns, "head") != config.patterns.end();
  const bool all_but_head = std::ranges::find(config.patterns, "all-but-head") != config.patterns.end();
  config.what = head ? FreezeWhat::head : all_but_head ? FreezeWhat::all_but_head : FreezeWhat::patterns;
  if (config.what == FreezeWhat::patterns) return;
  if (config.patterns.size() > 1) {
    options.reject("freeze", fmt::format("'{}' names a part and more", options.text("freeze")),
                   "give head, all-but-head, or patterns of names such as layer1,layer2.0.*");
  }
  config.patterns.clear();
}

[[noreturn]] void reject_unfreezing(const Options& options, const std::string& what) {
  options.reject("unfreeze-at", what,
                 "give EPOCH:SHARE pairs, epochs rising from 2 on, shares falling, such as 3:0.5,6:0");
}

Unfreezing unfreezing(const Options& options, const std::string& text) {
  Unfreezing found;
  const std::size_t colon = text.find(':');
  if (colon != std::string::npos) {
    const std::optional<std::int64_t> epoch = parse_integer(std::string_view(text).substr(0, colon));
    const std::optional<double> share = parse_real(std::string_view(text).substr(colon + 1));
    if (epoch && share && *epoch >= 2 && *share >= 0 && *share <= 1) return {*epoch, *share};
  }
  reject_unfreezing(options, fmt::format("'{}' is no epoch from 2 on and a share from 0 to 1", text));
}

/// What --unfreeze-at says, which needs something to begin with.
std::vector<Unfreezing> unfreezings(const Options& options, const FreezeConfig& config) {
  std::vector<Unfreezing> list;
  if (!options.has("unfreeze-at")) return list;
  options.reject_unused("unfreeze-at", config.any(), "--freeze, --freeze-first or --freeze-fraction");
  for (const std::string& text : options.texts("unfreeze-at")) {
    const Unfreezing next = unfreezing(options, text);
    if (!list.empty() && (next.epoch <= list.back().epoch || next.share >= list.back().share)) {
      reject_unfreezing(options, fmt::format("{} after {}:{}", text, list.back().epoch, list.back().share));
    }
    list.push_back(next);
  }
  if (list.back().epoch > options.integer("epochs")) {
    reject_unfreezing(options, fmt::format("the run ends after {} epochs, before epoch {}", options.integer("epochs"),
                                           list.back().epoch));
  }
  return list;
}

FreezeConfig freeze_config(const Options& options) {
  FreezeConfig config{options.real("freeze-fraction"), kind_of(freeze_units, options.text("freeze-by")),
                      options.flag("allow-random-frozen")};
  std::string_view way;
  for (const std::string_view name : {"freeze", "freeze-first", "freeze-fraction"}) {
    if (!options.changed(name)) continue;
    if (!way.empty()) options.reject(name, fmt::format("--{} says what is frozen already", way), "keep one of them");
    way = name;
  }
  if (way == "freeze") read_freeze(options, config);
  if (way == "freeze-first") {
    config.what = FreezeWhat::first;
    config.first = options.integer("freeze-first");
  }
  config.unfreezings = unfreezings(options, config);
  const bool counts = options.said("freeze-fraction") || options.said("freeze-first");  // 0 too: for series of commands
  options.reject_unused("freeze-by", counts || !config.unfreezings.empty(), "--freeze-fraction or --freeze-first");
  options.reject_unused("allow-random-frozen", counts || way == "freeze" || options.has("transfer"),
                        "--freeze or --freeze-fraction");
  return config;
}

}  // namespace

std::int64_t BatchNormStats::granularity() const {
  switch (over) {
    case Over::global_batch:
      return 1;
    case Over::rank:
      return 2;
    case Over::group:
      return group;
  }
  return 1;
}

std::size_t FreezeConfig::phase(std::int64_t epoch) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(unfreezings, [epoch](const Unfreezing& at) { return at.epoch <= epoch + 1; }));
}

FreezeConfig FreezeConfig::in_phase(std::size_t phase) const {
  if (phase == 0) return *this;
  FreezeConfig later = *this;
  later.what = FreezeWhat::share;
  later.fraction = unfreezings[phase - 1].share;
  return later;
}

ModelConfig model_config(const Options& options) {
  ModelConfig config;
  const Architecture& architecture = architecture_named(options.text("model"));
  config.kind = architecture.kind;
  if (config.kind == ModelKind::custom)
    config.custom = custom_cnn_config(options);
  else
    reject_custom_cnn_options(options);
  config.dropout = dropout_of(options, architecture);
  config.batch_norm_stats = batch_norm_stats(options);
  config.freeze = freeze_config(options);
  if (options.has("weights")) config.weights = options.path("weights");
  return config;
}

std::map<std::string, std::string> layer_options(const CustomCnnConfig& config) {
  std::vector<std::string_view> names;
  for (const Activation activation : config.activations) names.push_back(name_of(activation));
  return {{"filters", fmt::format("{}", fmt::join(config.filters, ","))},
          {"kernels", fmt::format("{}", fmt::join(config.kernels, ","))},
          {"dense", fmt::format("{}", fmt::join(config.dense, ","))},
          {"activation", fmt::format("{}", fmt::join(names, ","))},
          {"batch-norm", config.batch_norm ? "true" : "false"}};
}

ModelConfig model_config(const std::string& model, const std::map<std::string, std::string>& layers) {
  std::map<std::string, std::string> values = layers;
  values["data"] = ".";  // which train asks for
  values["model"] = model;
  return model_config(Options::from_values(Command::train, values));
}

void require_learnt_weights(const ModelConfig& config, bool resumes) {
  if (!config.freeze.any() || !config.weights.empty() || resumes || config.freeze.allow_random) return;
  throw usage_error("frozen layers would keep random weights", "--freeze, --freeze-first, --freeze-fraction",
                    "give trained ones with --weights FILE, or say --allow-random-frozen");
}

std::string_view name_of(Activation activation) { return text_of(activations, activation); }
std::string_view name_of(ModelKind kind) { return architecture_of(kind).name; }
std::string_view name_of(FreezeBy by) { return text_of(freeze_units, by); }

}  // namespace lockstep
