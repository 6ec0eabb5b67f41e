#include "lockstep/config/run_config.hpp"

#include <fmt/format.h>

#include "config/choices.hpp"
#include "config/option_values.hpp"

namespace lockstep {
namespace {

constexpr Names<Normalisation, 4> normalisations{{{"standardise", Normalisation::standardise},
                                                  {"unit", Normalisation::unit},
                                                  {"symmetric", Normalisation::symmetric},
                                                  {"imagenet", Normalisation::imagenet}}};
constexpr Names<Metric, 10> metrics{{{"accuracy", Metric::accuracy},
                                     {"top5-accuracy", Metric::top5_accuracy},
                                     {"balanced-accuracy", Metric::balanced_accuracy},
                                     {"macro-recall", Metric::macro_recall},
                                     {"macro-f1", Metric::macro_f1},
                                     {"kappa", Metric::kappa},
                                     {"mcc", Metric::mcc},
                                     {"auc", Metric::auc},
                                     {"average-precision", Metric::average_precision},
                                     {"loss", Metric::loss}}};
constexpr Names<DeviceKind, 2> devices{{{"cpu", DeviceKind::cpu}, {"cuda", DeviceKind::cuda}}};

constexpr Names<Sampling, 3> samplings{
    {{"uniform", Sampling::uniform}, {"balanced", Sampling::balanced}, {"weighted", Sampling::weighted}}};
constexpr Names<CachePolicy, 3> cache_policies{
    {{"none", CachePolicy::none}, {"page", CachePolicy::page}, {"ram", CachePolicy::ram}}};
constexpr Names<FeatureCacheConfig::Place, 3> feature_places{{{"off", FeatureCacheConfig::Place::off},
                                                              {"memory", FeatureCacheConfig::Place::memory},
                                                              {"disk", FeatureCacheConfig::Place::disk}}};
constexpr Names<SlotType, 2> slot_types{{{"float32", SlotType::float32}, {"uint8", SlotType::uint8}}};

/// Numbers between commas; empty: they are none.
std::vector<double> numbers_of(std::string_view text, double low, double high) {
  std::vector<double> numbers;
  for (const std::string& part : split_list(text)) {
    const std::optional<double> number = parse_real(part);
    if (!number || *number < low || *number > high) return {};
    numbers.push_back(*number);
  }
  return numbers;
}

/// A word, or the mean and standard deviation of each channel: M,M,M/S,S,S.
void read_normalisation(const Options& options, LoaderConfig& config) {
  const std::string text = options.text("normalise");
  const auto word =
      std::ranges::find(normalisations, std::string_view(text), &decltype(normalisations)::value_type::first);
  if (word != normalisations.end()) {
    config.normalisation = word->second;
    return;
  }
  if (text == "weights") {
    options.reject("normalise", "no weights say how their images were normalised",
                   "give --weights FILE of a known network, or one of the other ways to normalise");
  }
  const std::size_t slash = std::min(text.find('/'), text.size());
  config.normalisation = Normalisation::given;
  config.input_mean = numbers_of(std::string_view(text).substr(0, slash), 0, 1);
  config.input_std = numbers_of(std::string_view(text).substr(std::min(slash + 1, text.size())), 1e-6, 10);
  const std::size_t channels = config.input_mean.size();
  if ((channels == 1 || channels == 3) && config.input_std.size() == channels) return;
  options.reject(
      "normalise", fmt::format("'{}' is no way to normalise", text),
      "choose standardise, unit, symmetric, imagenet or weights, or give the mean and the standard deviation of each "
      "channel, of pixel values from 0 to 1: 0.5,0.5,0.5/0.25,0.25,0.25");
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

/// N,M: operations and their magnitude; 0,0 for none.
void read_randaugment(const Options& options, AugmentationConfig& config) {
  const std::vector<std::int64_t> values = options.integers("randaugment");
  if (values.size() != 2 || values[0] > 16) {
    options.reject("randaugment", fmt::format("'{}' is not a pair N,M with N up to 16", options.text("randaugment")),
                   "give the number of operations and their magnitude, such as 2,9");
  }
  config.randaugment_ops = values[0];
  config.randaugment_magnitude = static_cast<int>(values[1]);
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
  read_randaugment(options, config);
  config.random_erasing = options.real("random-erasing");
  config.fixed_views = options.integer("fixed-views");
  for (const std::string_view name : {"crop-scale", "crop-ratio", "flip", "vertical-flip", "rotation", "scaling",
                                      "translation", "colour-jitter", "randaugment", "random-erasing", "fixed-views"})
    options.reject_unused(name, config.on, "--augment");
  return config;
}

MixConfig mix_config(const Options& options) {
  const MixConfig config{options.real("mixup"), options.real("cutmix"), options.real("mix-probability")};
  options.reject_unused("mix-probability", config.on(), "--mixup or --cutmix");
  return config;
}

/// How samples come off the disk and in which order.
void read_access(const Options& options, LoaderConfig& config) {
  config.sampling = kind_of(samplings, options.text("sampling"));
  config.shuffle_window = options.integer("shuffle-window");
  if (config.shuffle_window > 0 && config.sampling != Sampling::uniform) {
    options.reject("shuffle-window", "repeated samples cannot be read block by block",
                   "use --sampling uniform, or leave --shuffle-window out");
  }
  config.cache = kind_of(cache_policies, options.text("cache"));
  if (options.has("stage")) config.stage = options.path("stage");
  config.slot = kind_of(slot_types, options.text("loader-output"));
  config.check_shards = options.has("check-shards") && options.text("check-shards") == "first-epoch";
}

FeatureCacheConfig feature_cache_config(const Options& options, const LoaderConfig& loader) {
  FeatureCacheConfig config;
  config.place = kind_of(feature_places, options.text("feature-cache"));
  const bool on = config.place != FeatureCacheConfig::Place::off;
  const bool on_disk = config.place == FeatureCacheConfig::Place::disk;
  options.reject_unused("feature-folder", on_disk, "--feature-cache disk");
  if (options.has("feature-folder")) config.folder = options.path("feature-folder");
  if (on_disk && config.folder.empty()) {
    options.reject("feature-folder", "--feature-folder is missing",
                   "give a folder that all ranks see, or use --feature-cache memory");
  }
  if (on && loader.augmentation.on && loader.augmentation.fixed_views == 0) {
    options.reject("feature-cache", "images are augmented anew in every epoch, so nothing could be kept",
                   "see each image in some fixed ways (--fixed-views 4), or leave --augment out");
  }
  if (on && loader.mix.on()) {
    options.reject("feature-cache", "mixed images have no features of their own",
                   "leave --mixup and --cutmix out, or the cache");
  }
  return config;
}

LogsConfig logs_config(const Options& options) {
  const LogsConfig config{options.flag("tensorboard"), options.integer("tensorboard-histograms"),
                          options.integer("tensorboard-images")};
  for (const std::string_view name : {"tensorboard-histograms", "tensorboard-images"})
    options.reject_unused(name, config.tensorboard, "--tensorboard");
  return config;
}

}  // namespace

LoaderConfig LoaderConfig::from(const Options& options) {
  LoaderConfig config;
  config.data = config.shards = options.path("data");
  config.train_split = options.text("train-split");
  config.eval_split = options.has("eval-split") ? options.text("eval-split") : "none";
  config.side = options.integer("side");
  config.eval_resize = options.integer("eval-resize");
  read_normalisation(options, config);
  config.threads = options.integer("loader-threads");
  config.prefetch = options.integer("prefetch");
  config.augmentation = augmentation_config(options);
  config.mix = mix_config(options);
  read_access(options, config);
  return config;
}

RunConfig RunConfig::from(const Options& options) {
  RunConfig config;
  if (options.has("run")) config.run = options.path("run");
  config.loader = LoaderConfig::from(options);
  config.model = model_config(options);
  config.checkpoint = {interval(options, "checkpoint-every", true), options.integer("keep-checkpoints")};
  config.logs = logs_config(options);
  config.features = feature_cache_config(options, config.loader);
  config.eval_every = interval(options, "eval-every", false);
  config.epochs = options.integer("epochs");
  config.max_steps = options.integer("max-steps");
  config.batch = options.integer("batch");
  read_recipe(options, config);
  config.log_every = options.integer("log-every");
  config.metric = kind_of(metrics, options.text("metric"));
  config.seed = static_cast<std::uint64_t>(options.integer("seed"));
  config.device = device_of(options);
  config.threads = options.integer("threads");
  config.bucket_bytes = static_cast<std::int64_t>(options.real("bucket-mib") * 1024 * 1024);
  config.timeout = options.real("timeout");
  return config;
}

Interval interval(const Options& options, std::string_view name, bool minutes) {
  const std::optional<Interval> given = Interval::parse(options.text(name));
  if (given && (minutes || given->unit != Interval::Unit::minutes)) return *given;
  options.reject(name,
                 fmt::format("'{}' is no number of {}", options.text(name),
                             minutes ? "epochs, steps or minutes" : "epochs or steps"),
                 fmt::format("such as 2, 500steps{} or never", minutes ? ", 30minutes" : ""));
}

std::string_view name_of(Metric metric) { return text_of(metrics, metric); }
std::string_view name_of(DeviceKind device) { return text_of(devices, device); }
DeviceKind device_of(const Options& options) { return kind_of(devices, options.text("device")); }

}  // namespace lockstep
