#include "lockstep/config/run_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace lockstep {
namespace {

template <typename Kind, std::size_t N>
using Names = std::array<std::pair<std::string_view, Kind>, N>;

constexpr Names<Normalisation, 3> normalisations{{{"standardise", Normalisation::standardise},
                                                  {"unit", Normalisation::unit},
                                                  {"imagenet", Normalisation::imagenet}}};
constexpr Names<Activation, 4> activations{
    {{"relu", Activation::relu}, {"gelu", Activation::gelu}, {"silu", Activation::silu}, {"mish", Activation::mish}}};
constexpr Names<OptimiserKind, 3> optimisers{
    {{"sgd", OptimiserKind::sgd}, {"adam", OptimiserKind::adam}, {"adamw", OptimiserKind::adamw}}};
constexpr Names<Metric, 5> metrics{{{"accuracy", Metric::accuracy},
                                    {"macro-recall", Metric::macro_recall},
                                    {"macro-f1", Metric::macro_f1},
                                    {"auc", Metric::auc},
                                    {"loss", Metric::loss}}};

// The option table has checked the text against the same words already.
template <typename Kind, std::size_t N>
Kind kind_of(const Names<Kind, N>& names, std::string_view text) {
  return std::find_if(names.begin(), names.end(), [&](const auto& pair) { return pair.first == text; })->second;
}

template <typename Kind, std::size_t N>
std::string_view text_of(const Names<Kind, N>& names, Kind kind) {
  return std::find_if(names.begin(), names.end(), [&](const auto& pair) { return pair.second == kind; })->first;
}

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

void read_pair(const Options& options, std::string_view name, double (&pair)[2]) {
  const std::vector<double> values = options.reals(name);
  if (values.size() != 2 || values[0] > values[1]) {
    options.reject(name, fmt::format("'{}' is not a pair LOW,HIGH", options.text(name)),
                   "give two numbers, the lower first");
  }
  pair[0] = values[0];
  pair[1] = values[1];
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

AugmentationConfig augmentation_config(const Options& options) {
  AugmentationConfig config;
  config.on = options.flag("augment");
  read_pair(options, "crop-scale", config.crop_scale);
  read_pair(options, "crop-ratio", config.crop_ratio);
  config.flip = options.real("flip");
  config.vertical_flip = options.real("vertical-flip");
  config.rotation = options.real("rotation");
  config.scaling = options.real("scaling");
  config.translation = options.real("translation");
  config.colour_jitter = options.real("colour-jitter");
  return config;
}

LoaderConfig loader_config(const Options& options) {
  LoaderConfig config;
  config.data = options.path("data");
  config.train_split = options.text("train-split");
  config.eval_split = options.text("eval-split");
  config.side = options.integer("side");
  config.eval_resize = options.integer("eval-resize");
  config.normalisation = kind_of(normalisations, options.text("normalise"));
  config.threads = options.integer("loader-threads");
  config.prefetch = options.integer("prefetch");
  config.augmentation = augmentation_config(options);
  return config;
}

CustomCnnConfig model_config(const Options& options) {
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
  config.batch_norm_stats = batch_norm_stats(options);
  return config;
}

OptimiserConfig optimiser_config(const Options& options) {
  OptimiserConfig config;
  config.kind = kind_of(optimisers, options.text("optimiser"));
  config.lr = options.real("lr");
  config.weight_decay = options.real("weight-decay");
  config.momentum = options.real("momentum");
  config.nesterov = options.flag("nesterov");
  if (config.nesterov && config.momentum == 0)
    options.reject("nesterov", "Nesterov's form needs momentum", "give --momentum 0.9");
  const std::vector<double> betas = options.reals("adam-betas");
  if (betas.size() != 2) options.reject("adam-betas", "two numbers are needed", "such as 0.9,0.999");
  config.beta1 = betas[0];
  config.beta2 = betas[1];
  config.epsilon = options.real("adam-epsilon");
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

RunConfig RunConfig::from(const Options& options) {
  RunConfig config;
  if (options.has("run")) config.run = options.path("run");
  config.loader = loader_config(options);
  config.model = model_config(options);
  config.optimiser = optimiser_config(options);
  config.epochs = options.integer("epochs");
  config.batch = options.integer("batch");
  config.log_every = options.integer("log-every");
  config.label_smoothing = options.real("label-smoothing");
  config.metric = kind_of(metrics, options.text("metric"));
  config.seed = static_cast<std::uint64_t>(options.integer("seed"));
  config.threads = options.integer("threads");
  config.bucket_bytes = static_cast<std::int64_t>(options.real("bucket-mib") * 1024 * 1024);
  config.timeout = options.real("timeout");
  return config;
}

std::string_view name_of(Metric metric) { return text_of(metrics, metric); }
std::string_view name_of(Activation activation) { return text_of(activations, activation); }

}  // namespace lockstep
