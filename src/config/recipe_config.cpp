#include <fmt/format.h>

#include <cmath>

#include "config/choices.hpp"
#include "config/option_values.hpp"

namespace lockstep {
namespace {

constexpr Names<OptimiserKind, 5> optimisers{{{"sgd", OptimiserKind::sgd},
                                              {"adam", OptimiserKind::adam},
                                              {"adamw", OptimiserKind::adamw},
                                              {"lars", OptimiserKind::lars},
                                              {"lamb", OptimiserKind::lamb}}};
constexpr Names<ScheduleKind, 6> schedules{{{"constant", ScheduleKind::constant},
                                            {"step", ScheduleKind::step},
                                            {"cosine", ScheduleKind::cosine},
                                            {"polynomial", ScheduleKind::polynomial},
                                            {"one-cycle", ScheduleKind::one_cycle},
                                            {"plateau", ScheduleKind::plateau}}};

/// How L2 and L1 act, and on what.
void read_decay(const Options& options, OptimiserConfig& config) {
  config.weight_decay = options.real("weight-decay");
  config.l1 = options.real("l1");
  if (config.l1 > 0 && config.layer_adaptive()) {
    options.reject("l1", "LARS and LAMB are defined with L2 alone", "use --weight-decay, or another --optimiser");
  }
  const std::string form = options.text("decay-form"), scope = options.text("decay-on");
  const bool decays = config.weight_decay > 0 || config.l1 > 0;
  options.reject_unused("decay-form", form == "auto" || (decays && !config.layer_adaptive()),
                        "--weight-decay or --l1, and an optimiser other than lars and lamb");
  options.reject_unused("decay-on", scope == "auto" || decays || config.layer_adaptive(), "--weight-decay or --l1");
  if (config.kind == OptimiserKind::adamw && form == "coupled")
    options.reject("decay-form", "AdamW is Adam with decoupled decay", "use --optimiser adam for the coupled form");
  config.decoupled_decay = form == "decoupled" || (form == "auto" && config.kind == OptimiserKind::adamw);
  config.decays_weights_only = scope == "weights" || (scope == "auto" && config.layer_adaptive());
}

OptimiserConfig optimiser_config(const Options& options) {
  OptimiserConfig config;
  config.kind = kind_of(optimisers, options.text("optimiser"));
  config.lr = options.real("lr");
  if (options.has("head-lr")) config.head_lr = options.real("head-lr");
  config.layer_decay = options.real("layer-decay");
  config.momentum = options.real("momentum");
  config.nesterov = options.flag("nesterov");
  config.trust_coefficient = options.real("trust-coefficient");
  read_decay(options, config);
  const bool sgd = config.kind == OptimiserKind::sgd, lars = config.kind == OptimiserKind::lars;
  options.reject_unused("momentum", sgd || lars, "--optimiser sgd or lars");
  options.reject_unused("nesterov", sgd, "--optimiser sgd");
  options.reject_unused("trust-coefficient", lars, "--optimiser lars");
  options.reject_unused("adam-betas", !sgd && !lars, "--optimiser adam, adamw or lamb");
  options.reject_unused("adam-epsilon", !sgd && !lars, "--optimiser adam, adamw or lamb");
  if (config.nesterov && config.momentum == 0)
    options.reject("nesterov", "Nesterov's form needs momentum", "give --momentum 0.9");
  const std::vector<double> betas = options.reals("adam-betas");
  if (betas.size() != 2) options.reject("adam-betas", "two numbers are needed", "such as 0.9,0.999");
  config.beta1 = betas[0];
  config.beta2 = betas[1];
  config.epsilon = options.real("adam-epsilon");
  return config;
}

ScheduleConfig schedule_config(const Options& options) {
  ScheduleConfig config;
  config.kind = kind_of(schedules, options.text("schedule"));
  config.warmup = interval(options, "warmup", false);
  config.step_epochs = options.integers("lr-step");
  config.gamma = options.real("lr-gamma");
  config.min_lr = options.real("min-lr");
  config.power = options.real("lr-power");
  config.rise = options.real("one-cycle-rise");
  config.patience = options.integer("plateau-patience");
  const auto is = [&](ScheduleKind kind) { return config.kind == kind; };
  const bool falls = is(ScheduleKind::cosine) || is(ScheduleKind::polynomial);
  options.reject_unused("lr-step", is(ScheduleKind::step), "--schedule step");
  options.reject_unused("lr-gamma", is(ScheduleKind::step) || is(ScheduleKind::plateau), "--schedule step or plateau");
  options.reject_unused("min-lr", falls || is(ScheduleKind::plateau), "--schedule cosine, polynomial or plateau");
  options.reject_unused("lr-power", is(ScheduleKind::polynomial), "--schedule polynomial");
  options.reject_unused("one-cycle-rise", is(ScheduleKind::one_cycle), "--schedule one-cycle");
  options.reject_unused("plateau-patience", is(ScheduleKind::plateau), "--schedule plateau");
  if (!std::ranges::is_sorted(config.step_epochs, std::ranges::less_equal{}))
    options.reject("lr-step", "the epochs do not rise", "such as 30,60,80");
  if (config.min_lr > options.real("lr"))
    options.reject("min-lr", "above --lr", "the rate falls from --lr to --min-lr");
  if (is(ScheduleKind::one_cycle) && config.warmup.unit != Interval::Unit::never)
    options.reject("warmup", "one-cycle has a rise of its own", "use --one-cycle-rise, or another --schedule");
  return config;
}

/// Rates that were found for another global batch, brought to this one (Goyal et al., 2017; the root: Krizhevsky,
/// 2014).
void scale_rates(const Options& options, RunConfig& config) {
  const bool said = options.has("lr-for-batch");
  options.reject_unused("lr-scaling", said, "--lr-for-batch");
  if (!said) return;
  const double times = static_cast<double>(config.batch) / options.real("lr-for-batch");
  const bool root = options.text("lr-scaling") == "sqrt";
  const double factor = root ? std::sqrt(times) : times;
  config.scaling =
      fmt::format("learning rate {} for batches of {}, times {}{}: {} for batches of {}", config.optimiser.lr,
                  options.integer("lr-for-batch"), root ? "√" : "", times, config.optimiser.lr * factor, config.batch);
  config.optimiser.lr *= factor;
  config.optimiser.head_lr *= factor;
  config.schedule.min_lr *= factor;
}

AveragingConfig averaging_config(const Options& options, std::int64_t epochs) {
  AveragingConfig config;
  config.decay = options.real("ema");
  if (options.has("swa-from")) config.from_epoch = options.integer("swa-from");
  if (config.decay > 0 && config.from_epoch > 0)
    options.reject("swa-from", "only one mean of the weights can be kept", "leave out --ema or --swa-from");
  if (config.from_epoch > epochs) {
    options.reject("swa-from", fmt::format("epoch {} is after the last one, {}", config.from_epoch, epochs),
                   "begin earlier, or train for more --epochs");
  }
  return config;
}

ClassWeightConfig class_weight_config(const Options& options) {
  ClassWeightConfig config;
  const std::string text = options.text("class-weights");
  if (text == "none") return config;
  if (text == "balanced") {
    config.balanced = true;
    return config;
  }
  bool some = false;
  for (const std::string& part : split_list(text)) {
    const std::optional<double> weight = parse_real(part);
    if (!weight || *weight < 0) {
      options.reject("class-weights", fmt::format("'{}' is no weight", part),
                     "give none, balanced, or a number from 0 on for each class: 1,2.5,1");
    }
    config.given.push_back(*weight);
    some = some || *weight > 0;
  }
  if (!some) options.reject("class-weights", "no class counts anything", "give at least one weight above 0");
  return config;
}

}  // namespace

void read_recipe(const Options& options, RunConfig& config) {
  config.optimiser = optimiser_config(options);
  config.schedule = schedule_config(options);
  scale_rates(options, config);
  config.label_smoothing = options.real("label-smoothing");
  config.clipping = {options.real("clip-norm"), options.real("clip-value")};
  config.averaging = averaging_config(options, options.integer("epochs"));
  if (options.has("early-stopping")) config.early_stopping.patience = options.integer("early-stopping");
  config.min_change = options.real("min-change");
  const bool waits = config.early_stopping.patience > 0 || config.schedule.kind == ScheduleKind::plateau;
  options.reject_unused("min-change", waits, "--early-stopping or --schedule plateau");
  if (waits && config.eval_every.unit == Interval::Unit::never) {
    options.reject("eval-every", "early stopping and plateau wait for judgements",
                   "judge every so many epochs or steps: --eval-every 1");
  }
  if (config.averaging.from_epoch > 0 && config.eval_every.unit == Interval::Unit::steps) {
    options.reject("eval-every", "the mean of --swa-from moves at the ends of epochs only",
                   "judge every so many epochs: --eval-every 1");
  }
  config.class_weights = class_weight_config(options);
  if (config.class_weights.balanced && config.loader.sampling != Sampling::uniform) {
    options.reject("class-weights",
                   "--sampling changes how often classes are seen already: together they correct twice",
                   "leave out --sampling or --class-weights, or give the weights as numbers");
  }
}

}  // namespace lockstep
