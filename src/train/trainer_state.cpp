#include "train/trainer_state.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "lockstep/core/error.hpp"
#include "lockstep/features/frozen_prefix.hpp"
#include "lockstep/gradients/broadcast_parameters.hpp"
#include "lockstep/model/learning_rates.hpp"
#include "lockstep/model/make_model.hpp"
#include "lockstep/weights/read_weights.hpp"
#include "train/class_weights.hpp"

namespace lockstep {
namespace {

std::shared_ptr<Model> build_model(const RunConfig& config, const Manifest& manifest, std::int64_t side) {
  const ModelInput shape{manifest.shape.channels, side, static_cast<std::int64_t>(manifest.classes.size())};
  return make_model(config.model, shape, config.seed);
}

}  // namespace

Trainer::State::State(const RunConfig& c, const Manifest& manifest, RankCommunicators& ch, const Log& l, Hooks h)
    : config(c),
      classes(static_cast<std::int64_t>(manifest.classes.size())),
      class_weights(class_weights_of(config.class_weights, manifest, config.loader.train_split)),
      data_digest(manifest.digest()),
      channels(ch),
      log(l),
      hooks(std::move(h)),
      data(config, manifest, ch.control->size(), log),
      schedule(config.schedule, config.optimiser.lr, data.plan().steps(), data.steps()),
      model(build_model(config, manifest, data.input().side)) {
  const PretrainedReport report = start_from_weights();
  model->to(channels.gradients->device());
  broadcast_parameters(*channels.gradients, state_of(*model));
  require_only_unfreezing(*model, config.model.freeze);
  if (!config.model.freeze.allow_random) require_learnt(freeze(*model, config.model.freeze), report);
  make_step_of_phase();
  const std::int64_t first_mean = config.averaging.from_epoch * data.plan().steps();  // steps
  if (first_mean > data.steps()) {
    throw usage_error(fmt::format("the run ends after {} steps, before the end of epoch {}, {} steps", data.steps(),
                                  config.averaging.from_epoch, first_mean),
                      "--swa-from", "begin earlier, or train longer (--max-steps)");
  }
  if (config.averaging.on()) average = std::make_unique<WeightAverage>(config.averaging, *model);
  at.data_digest = data_digest;
  origin = origin_of(config, manifest, data.input());
  if (!config.scaling.empty()) log.info(config.scaling);
  if (!class_weights.empty()) log.info(describe_class_weights(class_weights, manifest.classes));
}

void Trainer::State::make_step_of_phase() {
  const FreezeConfig& freezing = config.model.freeze;
  const std::size_t now = freezing.phase(at.epoch);
  if (step && now == phase) return;
  phase = now;
  const std::unique_ptr<Optimiser> before = step ? TrainingStep::dissolve(std::move(step)) : nullptr;
  trained = freeze(*model, freezing.in_phase(now));
  if (freezing.any()) log.info(trained.description());
  if (trained.frozen() > 0) log.info("the frozen modules: " + trained.frozen_list());
  if (config.optimiser.has_groups()) log.info(describe_learning_rates(*model, config.optimiser));
  if (keeps_features()) first_stage = now == 0 ? stages_to_keep(*model) : frozen_stages(*model);
  step = std::make_unique<TrainingStep>(*model, config, channels, first_stage, class_weights);
  if (before) take_over(step->optimiser(), *before);
  if (keeps_features() && source) open_batches();
  if (!keeper) return;
  keeper->log({{"event", std::string("unfrozen")},
               {"epoch", at.epoch + 1},
               {"step", at.steps},
               {"frozen_parameters", trained.frozen_elements()}});
}

PretrainedReport Trainer::State::start_from_weights() const {
  const std::filesystem::path& file = config.model.weights;
  if (file.empty() || channels.control->rank() != 0) return {};
  const PretrainedReport report = start_from(read_weights(file, name_of(config.model.kind)), *model, file);
  log.info(describe(report, file));
  return report;
}

void Trainer::State::begin(std::optional<RunFolder> folder) {
  keeper = std::make_unique<RunKeeper>(std::move(folder), config, origin, data.input().scale, *channels.control);
  open_batches();
  tally = EpochTally(at.sums);
  steps_before = kept.steps = at.steps;
  kept.judged_steps = at.judged_steps;
  watch.restart();
}

void Trainer::State::open_batches() {
  batch.reset();
  source.reset();  // it reads the features
  features.reset();
  if (first_stage > 0 && !over_and_judged())
    features = std::make_unique<CachedFeatures>(config, *model, data, data_digest, *channels.control, log);
  source = open_source(at.steps);
}

std::unique_ptr<BatchSource> Trainer::State::open_source(std::int64_t first) {
  const int rank = channels.control->rank(), ranks = channels.control->size();
  const c10::Device device = channels.gradients->device();
  if (!features) return data.load_from(first, rank, ranks, device);
  return features->training_batches(data.requests(first, rank, ranks), device);
}

std::string Trainer::State::metric_name() const {
  return data.judged() != nullptr ? std::string(name_of(config.metric)) : "training loss";
}

double Trainer::State::shown(double score) const {
  return data.judged() == nullptr || config.metric == Metric::loss ? -score : score;
}

double Trainer::State::seconds_left() const {
  const auto made = static_cast<double>(at.steps - steps_before), left = static_cast<double>(data.steps() - at.steps);
  return made == 0 ? 0 : watch.seconds() * left / made;
}

StepPlace Trainer::State::place_of(std::int64_t steps, std::int64_t step_of_epoch) const {
  const int rank = channels.control->rank(), ranks = channels.control->size();
  StepPlace place;
  place.step = steps;
  place.global_samples = data.plan().step(step_of_epoch).size();
  place.groups = data.plan().rank_groups(step_of_epoch, rank, ranks);
  return place;
}

StepResult Trainer::State::take_step(const StepPlace& where, double lr, double& waited) {
  const double waited_before = source->waited_seconds();
  batch = source->next();
  waited = source->waited_seconds() - waited_before;
  return step->run(*batch, where, lr);
}

StepResult Trainer::State::make_step() {
  StepPlace where = place_of(at.steps, at.step);
  where.stop_here = hooks.stop_requested();
  where.checkpoint_here = keeper->due_by_clock(data.judged() != nullptr && judged_after(at.steps + 1));
  double waited = 0;
  const StepResult made = take_step(where, lr_of(at.steps), waited);
  for (EpochTally* sums : {&tally, &stretch}) {
    sums->add(made);
    sums->waited_seconds += waited;
  }
  require_finite(made);
  gradient_norm = made.gradient_norm;
  if (average) average->after_step(at.steps);
  hooks.on_step(at.steps, made);
  ++at.step;
  ++at.steps;
  checkpoint_by_clock = made.checkpoint;
  return made;
}

void Trainer::State::require_finite(const StepResult& made) const {
  const bool finite = std::isfinite(made.loss) && std::isfinite(made.gradient_norm.value_or(0));
  if (finite) return;
  const bool loss = !std::isfinite(made.loss);
  throw Error(fmt::format("the {} became {} in step {} of epoch {}", loss ? "loss" : "length of the gradient",
                          loss ? made.loss : *made.gradient_norm, at.steps + 1, at.epoch + 1),
              fmt::format("learning rate {}", lr_of(at.steps)),
              "lower the learning rate (--lr), warm up longer (--warmup), or look for damaged images");
}

void Trainer::State::report_step() {
  if (at.step % config.log_every == 0) {
    keeper->log(step_fields(place(), at.steps, stretch, lr_of(at.steps - 1), gradient_norm));
    stretch = {};
  }
  if (since_live_line.seconds() <= 0.2) return;
  log.progress(live_line(place(), tally, seconds_left()));
  since_live_line.restart();
}

}  // namespace lockstep
