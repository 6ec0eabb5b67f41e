// What a training run will do: Options made complete, checked against each other and typed. Immutable after from().
//
// Lists that the user may give once for all layers are expanded here, so that nothing below asks "was it set?". What
// needs the data set to be checked (sides against pools, ranks against samples) is checked where that is known. Errors
// are usage errors that name the option. Knows nothing of tensors. A value; thread-safe to read.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lockstep/config/architectures.hpp"
#include "lockstep/config/interval.hpp"
#include "lockstep/config/options.hpp"

namespace lockstep {

enum class Normalisation { standardise, unit, symmetric, imagenet, given };
/// How often the samples of an epoch occur: each once; every class equally often; by the samples' weights.
enum class Sampling { uniform, balanced, weighted };
/// What happens to shard bytes once they are read: nothing is kept, the system decides, or all are kept in memory.
enum class CachePolicy { none, page, ram };
/// What the loader hands over: normalised values, or pixels that the device normalises.
enum class SlotType { float32, uint8 };
enum class Activation { relu, gelu, silu, mish, hardswish };
enum class OptimiserKind { sgd, adam, adamw, lars, lamb };
enum class DeviceKind { cpu, cuda };
enum class ScheduleKind { constant, step, cosine, polynomial, one_cycle, plateau };
enum class Metric {
  accuracy,
  top5_accuracy,
  balanced_accuracy,
  macro_recall,
  macro_f1,
  kappa,
  mcc,
  auc,
  average_precision,
  loss
};
enum class FreezeBy { tensors, modules, parameters };
/// A first share of the network; its first so many units; all but the layers that give classes; the fully connected
/// part; or what has certain names.
enum class FreezeWhat { share, first, all_but_head, head, patterns };

/// Over which samples batch norm takes its statistics.
struct BatchNormStats {
  enum class Over { global_batch, rank, group } over = Over::global_batch;
  std::int64_t group = 0;  ///< samples of a group, for Over::group

  /// Samples that must stay together on one rank: 1 where statistics are exchanged; 2 where each rank has its own,
  /// since statistics of a single value do not exist; else the group.
  std::int64_t granularity() const;
};

struct AugmentationConfig {
  bool on = false;
  double crop_scale[2] = {1, 1};                           ///< share of the area, low and high
  double crop_ratio[2] = {1, 1};                           ///< width / height, low and high
  double flip = 0, vertical_flip = 0;                      ///< probabilities
  double rotation = 0;                                     ///< ± degrees
  double scaling = 0, translation = 0, colour_jitter = 0;  ///< ± shares
  std::int64_t randaugment_ops = 0;                        ///< operations on each image
  int randaugment_magnitude = 0;                           ///< of them, 0 … 30
  double random_erasing = 0;                               ///< probability
  std::int64_t fixed_views = 0;                            ///< ways in which every image is seen, in turn; 0: anew
};

/// Mixing of samples in the batch (mix-up: Zhang et al., 2018; cut-mix: Yun et al., 2019).
struct MixConfig {
  double mixup = 0, cutmix = 0;  ///< parameters of the Beta distribution of a sample's own share; 0: off
  double probability = 1;        ///< that a sample is mixed at all

  bool on() const { return mixup > 0 || cutmix > 0; }
};

struct LoaderConfig {
  std::filesystem::path data;
  std::filesystem::path shards;  ///< where the shards are read: `data`, or this node's copy of it
  std::string train_split, eval_split;
  std::int64_t side = 0, eval_resize = 0;  ///< pixels; 0: as packed
  Normalisation normalisation = Normalisation::standardise;
  std::vector<double> input_mean, input_std;  ///< given: [channel], of pixel values from 0 to 1
  std::int64_t threads = 0, prefetch = 0;     ///< threads 0: as many as compute threads
  AugmentationConfig augmentation;
  MixConfig mix;
  Sampling sampling = Sampling::uniform;
  std::int64_t shuffle_window = 0;  ///< samples; 0: the whole split
  CachePolicy cache = CachePolicy::page;
  SlotType slot = SlotType::float32;
  std::filesystem::path stage;  ///< folder on each node that shards are copied to; empty: read in place
  bool check_shards = true;     ///< compares their checksums while the first epoch goes on

  /// From the options of train or of bench loader, which judges nothing.
  static LoaderConfig from(const Options& options);
};

struct CustomCnnConfig {
  std::vector<std::int64_t> filters, kernels;       ///< [conv layer]
  std::vector<std::int64_t> dense;                  ///< [dense layer], without the output
  std::vector<Activation> activations;              ///< [conv layers, then dense layers]
  std::vector<double> dropout_conv, dropout_dense;  ///< [layer]
  bool batch_norm = true;
};

/// From the epoch `epoch` on, counted from 1, only this first share of the network is frozen.
struct Unfreezing {
  std::int64_t epoch = 0;
  double share = 0;
};

/// Which part of the network keeps its weights.
struct FreezeConfig {
  double fraction = 0;  ///< share: of the parameter tensors, of the modules that own some, or of the single weights
  FreezeBy by = FreezeBy::modules;
  bool allow_random = false;  ///< freeze weights that were never trained
  FreezeWhat what = FreezeWhat::share;
  std::int64_t first = 0;                    ///< first: how many of them
  std::vector<std::string> patterns = {};    ///< patterns: of modules' and parameters' names, * for any letters
  std::vector<Unfreezing> unfreezings = {};  ///< epochs rise, shares fall

  bool any() const { return what == FreezeWhat::share ? fraction > 0 : what != FreezeWhat::first || first > 0; }
  /// How many of the unfreezings have happened in the epoch `epoch`, counted from 0.
  std::size_t phase(std::int64_t epoch) const;
  /// What is frozen once so many of them have happened.
  FreezeConfig in_phase(std::size_t phase) const;
};

/// Whether a frozen part of the network runs once for each image, and where its features are kept.
struct FeatureCacheConfig {
  enum class Place { off, memory, disk } place = Place::off;
  std::filesystem::path folder;  ///< of Place::disk
};

struct ModelConfig {
  ModelKind kind = ModelKind::custom;
  CustomCnnConfig custom;  ///< of the custom CNN alone
  BatchNormStats batch_norm_stats;
  std::optional<double> dropout;  ///< of a network with dropout of its own; none: that
  FreezeConfig freeze;
  std::filesystem::path weights;  ///< safetensors file to start from; empty: initial weights

  bool has_batch_norm() const {
    return kind == ModelKind::custom ? custom.batch_norm : architecture_of(kind).batch_norm;
  }
};

struct OptimiserConfig {
  OptimiserKind kind = OptimiserKind::adam;
  double lr = 0, weight_decay = 0, momentum = 0;
  bool nesterov = false;
  double beta1 = 0, beta2 = 0, epsilon = 0;
  double head_lr = 0;      ///< learning rate of the layers that give classes; 0: lr
  double layer_decay = 1;  ///< factor of the learning rate for each trained stage that stands behind a layer
  double l1 = 0;
  bool decoupled_decay = false;  ///< L2 and L1 are taken off the weights, times the rate; else added to the gradient
  bool decays_weights_only = false;  ///< norms and biases are spared
  double trust_coefficient = 0;      ///< of LARS

  bool has_groups() const { return head_lr > 0 || layer_decay != 1; }
  /// LARS and LAMB: the rate of a layer follows the size of its weights.
  bool layer_adaptive() const { return kind == OptimiserKind::lars || kind == OptimiserKind::lamb; }
};

/// Limits of the gradient that the optimiser sees; 0: none.
struct ClippingConfig {
  double norm = 0;   ///< Euclidean, of all parameters together
  double value = 0;  ///< of an element; comes first
};

/// Which mean of the weights is judged and kept in place of the newest ones.
struct AveragingConfig {
  double decay = 0;             ///< of an exponential moving average over the steps; 0: none
  std::int64_t from_epoch = 0;  ///< the plain mean over the ends of epochs from this one on, from 1; 0: none
  bool on() const { return decay > 0 || from_epoch > 0; }
};

struct EarlyStoppingConfig {
  std::int64_t patience = 0;  ///< judgements without improvement after which the run ends; 0: it doesn't
};

/// What the loss of a sample counts, by its class.
struct ClassWeightConfig {
  bool balanced = false;      ///< samples / (classes · samples of the class), of the training split
  std::vector<double> given;  ///< [class]; empty and not balanced: 1
  bool on() const { return balanced || !given.empty(); }
};

struct ScheduleConfig {
  ScheduleKind kind = ScheduleKind::constant;
  Interval warmup;                        ///< epochs, steps or never
  std::vector<std::int64_t> step_epochs;  ///< step: one number: every so many epochs; several: at these
  double gamma = 0, min_lr = 0;
  double power = 1;           ///< polynomial
  double rise = 0;            ///< one-cycle: share of the steps
  std::int64_t patience = 0;  ///< plateau: judgements
};

struct CheckpointConfig {
  Interval every;
  std::int64_t keep = 0;
  /// What may be lost with a judgement, which can take long and be killed: where more is at stake, a checkpoint comes
  /// first. Seconds of training, and times what the newest checkpoint took.
  double seconds_at_stake = 60, writings_at_stake = 20;
};

/// What is told to TensorBoard.
struct LogsConfig {
  bool tensorboard = true;
  std::int64_t histogram_epochs = 1;  ///< between two histograms of weights and gradients; 0: none
  std::int64_t images = 8;            ///< judged images that are shown; 0: none
};

struct RunConfig {
  std::filesystem::path run;
  LoaderConfig loader;
  ModelConfig model;
  OptimiserConfig optimiser;
  ScheduleConfig schedule;
  CheckpointConfig checkpoint;
  LogsConfig logs;
  FeatureCacheConfig features;
  Interval eval_every;
  std::int64_t epochs = 0, batch = 0, log_every = 0;  ///< batch: samples of a step over all ranks
  std::int64_t max_steps = 0;                         ///< 0: epochs decide
  double label_smoothing = 0;
  ClippingConfig clipping;
  AveragingConfig averaging;
  EarlyStoppingConfig early_stopping;
  ClassWeightConfig class_weights;
  double min_change = 0;  ///< of the metric, that counts as an improvement to early stopping and plateau
  std::string scaling;    ///< how learning rates became what they are, for a person; empty: they were said so
  Metric metric = Metric::accuracy;
  std::uint64_t seed = 0;
  DeviceKind device = DeviceKind::cpu;
  std::int64_t threads = 0;  ///< compute threads per rank; 0: this rank's share of the cores
  std::int64_t bucket_bytes = 0;
  double timeout = 0;  ///< seconds an exchange may take

  static RunConfig from(const Options& options);
};

/// The options of train that describe a custom CNN, by name, so that it can be built again without its run.
std::map<std::string, std::string> layer_options(const CustomCnnConfig& config);
/// The network `model` of the table, with such options: what nothing but its forward pass in evaluation is asked of.
ModelConfig model_config(const std::string& model, const std::map<std::string, std::string>& layers);

/// Freezing keeps what was learnt: a usage error for frozen weights that come from nowhere, unless that is wanted.
/// `resumes`: the run goes on from a checkpoint.
void require_learnt_weights(const ModelConfig& config, bool resumes);

std::string_view name_of(Metric metric);
std::string_view name_of(Activation activation);
std::string_view name_of(ModelKind kind);
std::string_view name_of(FreezeBy by);
std::string_view name_of(DeviceKind device);
/// The value of --device, an option of several commands.
DeviceKind device_of(const Options& options);

}  // namespace lockstep
