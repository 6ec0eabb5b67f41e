#include "lockstep/train/trainer.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "lockstep/core/error.hpp"
#include "lockstep/data/loader.hpp"
#include "lockstep/data/sampler.hpp"
#include "lockstep/gradients/broadcast_parameters.hpp"
#include "lockstep/model/freezing.hpp"
#include "lockstep/model/make_model.hpp"
#include "lockstep/model/pretrained.hpp"
#include "lockstep/model/safetensors.hpp"
#include "train/epoch_report.hpp"

namespace lockstep {
namespace {

/// Requests of this rank for all steps of all epochs; the order of an epoch is made when its first step is asked for.
Loader::Requests training_requests(const RunConfig& config, const StepPlan& plan, std::int64_t samples, int rank,
                                   int ranks) {
  return [=, seed = config.seed, epochs = config.epochs, order = std::vector<std::int64_t>(), epoch = std::int64_t{0},
          step = std::int64_t{0}]() mutable -> std::optional<BatchRequest> {
    if (epoch == epochs) return std::nullopt;
    if (step == 0) order = shuffled_positions(samples, seed, epoch);
    const Range part = plan.rank_part(step, rank, ranks);
    BatchRequest request{epoch, step, {order.begin() + part.begin, order.begin() + part.end}};
    if (++step == plan.steps()) {
      step = 0;
      ++epoch;
    }
    return request;
  };
}

void check_ranks(const RunConfig& config, const DataSplit& split, int ranks) {
  const std::int64_t useful = std::min(config.batch, split.samples());
  if (ranks > useful) {
    throw Error(
        fmt::format("{} ranks for a global batch of {} samples (split '{}' has {})", ranks, config.batch, split.name(),
                    split.samples()),
        "mpirun -np, --batch",
        fmt::format("use at most {} ranks{}", useful, config.batch < split.samples() ? " or a larger --batch" : ""),
        Exit::usage);
  }
}

/// Groups are not cut, so few groups leave ranks without work for the whole run: allowed, but surely not meant.
void warn_of_idle_ranks(const RunConfig& config, const StepPlan& plan, int ranks, const Log& log) {
  const auto groups = static_cast<std::int64_t>(plan.groups(0).size());
  if (ranks <= groups || ranks == 1) return;
  log.info(
      fmt::format("warning: a step has {} batch-norm groups for {} ranks: {} of them have nothing to do (--batch {}, "
                  "--batch-norm-stats)",
                  groups, ranks, ranks - groups, config.batch));
}

void check_labels(const DataSplit& split, const std::filesystem::path& folder) {
  for (std::int64_t position = 0; position < split.samples(); ++position) {
    if (split.label(position) >= 0) continue;
    throw Error(fmt::format("sample {} of split '{}' has no label", split.id(position), split.name()), folder.string(),
                "train on a split whose samples are labelled");
  }
}

}  // namespace

struct Trainer::State {
  RunConfig config;
  Manifest manifest;
  RankCommunicators& channels;
  const Log& log;
  std::optional<RunFolder> folder;
  Hooks hooks;

  InputPlan input = plan_input(config.loader, manifest);
  DataSplit train{config.loader.data, manifest, config.loader.train_split};
  std::optional<DataSplit> judged;
  ImageTransform transform{manifest.shape, input.side, input.scale};
  StepPlan plan{train.samples(), config.batch, config.model.batch_norm_stats.granularity()};
  std::shared_ptr<Model> model;
  TrainedPart trained;
  std::unique_ptr<TrainingStep> step;
  std::optional<JsonLog> json;
  std::unique_ptr<Loader> loader;
  Stopwatch watch;
  Stopwatch since_live_line;
  TrainingResult result;
  double best_score = -std::numeric_limits<double>::infinity();  // larger is better: losses with their sign changed

  State(const RunConfig& c, const Manifest& m, RankCommunicators& ch, const Log& l, Hooks h)
      : config(c), manifest(m), channels(ch), log(l), hooks(std::move(h)) {
    check_ranks(config, train, channels.control->size());
    check_labels(train, config.loader.data);
    if (config.model.has_batch_norm()) warn_of_idle_ranks(config, plan, channels.control->size(), log);
    if (manifest.find_split(config.loader.eval_split) != nullptr)
      judged.emplace(config.loader.data, manifest, config.loader.eval_split);
    const ModelInput shape{manifest.shape.channels, input.side, static_cast<std::int64_t>(manifest.classes.size())};
    model = make_model(config.model, shape, config.seed);
    if (!config.model.weights.empty() && channels.control->rank() == 0) {
      const std::filesystem::path& file = config.model.weights;
      log.info(describe(start_from(read_safetensors(file), *model, file), file));
    }
    model->to(channels.gradients->device());
    broadcast_parameters(*channels.gradients, state_of(*model));
    trained = freeze(*model, config.model.freeze);
    if (config.model.freeze.fraction > 0) log.info(trained.description());
    step = std::make_unique<TrainingStep>(*model, config, channels);
    result.metric = judged ? std::string(name_of(config.metric)) : "training loss";
  }

  bool writes() const { return folder.has_value() && channels.control->rank() == 0; }

  Augmentation draw(std::int64_t epoch, std::int64_t id) const {
    const ImageShape& packed = manifest.shape;
    if (config.loader.augmentation.on)
      return draw_augmentation(config.loader.augmentation, config.seed, epoch, id, packed.height, packed.width);
    Augmentation centred;
    centred.crop = centre_crop(packed.height, packed.width, input.eval_resize, input.side);
    return centred;
  }

  double seconds_left(std::int64_t steps_done) const {
    const auto all = static_cast<double>(config.epochs * plan.steps()), done = static_cast<double>(steps_done);
    return done == 0 ? 0 : watch.seconds() * (all - done) / done;
  }

  StepResult run_step(std::int64_t epoch, std::int64_t place_in_epoch, EpochTally& tally, EpochTally& stretch) {
    const double waited_before = loader->waited_seconds();
    const std::optional<Batch> batch = loader->next();
    const double waited = loader->waited_seconds() - waited_before;
    const std::int64_t number = epoch * plan.steps() + place_in_epoch;
    const StepPlace place{number, plan.step(place_in_epoch).size(),
                          plan.rank_groups(place_in_epoch, channels.control->rank(), channels.control->size()),
                          hooks.stop_requested()};
    const StepResult result_of_step = step->run(*batch, place, config.optimiser.lr);
    for (EpochTally* sums : {&tally, &stretch}) {
      sums->add(result_of_step);
      sums->waited_seconds += waited;
    }
    require_finite(result_of_step, epoch, number);
    hooks.on_step(number, result_of_step);
    return result_of_step;
  }

  void require_finite(const StepResult& step_result, std::int64_t epoch, std::int64_t number) const {
    if (std::isfinite(step_result.loss)) return;
    throw Error(fmt::format("the loss became {} in step {} of epoch {}", step_result.loss, number + 1, epoch + 1),
                fmt::format("--lr {}", config.optimiser.lr), "lower the learning rate, or look for damaged images");
  }

  /// The steps of one epoch; false if the run was asked to stop.
  bool run_steps(std::int64_t epoch, EpochTally& tally) {
    EpochTally stretch;
    bool stopped = false;
    for (std::int64_t i = 0; i < plan.steps() && !stopped; ++i) {
      const StepResult done = run_step(epoch, i, tally, stretch);
      ++result.steps;
      const EpochPlace place{epoch + 1, config.epochs, i + 1, plan.steps()};
      if (writes() && (i + 1) % config.log_every == 0) {
        json->write(step_fields(place, result.steps, stretch, config.optimiser.lr));
        stretch = {};
      }
      if (since_live_line.seconds() > 0.2) {
        log.progress(live_line(place, tally, seconds_left(result.steps)));
        since_live_line.restart();
      }
      stopped = done.stop;
    }
    tally.stop();
    return !stopped;
  }

  std::optional<Evaluation> judge() {
    if (!judged) return std::nullopt;
    const EvaluationSettings settings{input.eval_resize, config.threads, config.metric == Metric::auc};
    return evaluate(*model, *judged, transform, static_cast<std::int64_t>(manifest.classes.size()), settings,
                    *channels.control);
  }

  /// A score as a person expects it.
  double shown(double score) const { return !judged || config.metric == Metric::loss ? -score : score; }

  void save(const std::filesystem::path& file, std::int64_t epoch, const std::string& metric, double value) const {
    write_safetensors(file, {state_of(*model),
                             {{"format", "pt"},
                              {"epoch", std::to_string(epoch)},
                              {"step", std::to_string(result.steps)},
                              {"metric", metric},
                              {"value", fmt::format("{}", value)}}});
  }

  void finish_epoch(std::int64_t epoch, const EpochTally& tally) {
    average_batch_norm_statistics(*model, config.model.batch_norm_stats, *channels.control);
    const std::optional<Evaluation> evaluation = judge();
    const double score = evaluation ? evaluation->metrics.score(config.metric) : -tally.loss();
    const bool best = score > best_score;
    result.epochs = epoch + 1;
    if (best) {
      best_score = score;
      result.best_value = shown(score);
      result.best_epoch = epoch + 1;
    }
    const EpochPlace place{epoch + 1, config.epochs, plan.steps(), plan.steps()};
    const std::optional<Metrics> metrics = evaluation ? std::optional(evaluation->metrics) : std::nullopt;
    log.info(epoch_line(place, tally, metrics, best, seconds_left(result.steps)));
    if (!writes()) return;
    if (best) save(folder->best_weights(), epoch + 1, result.metric, shown(score));
    save(folder->last_weights(), epoch + 1, result.metric, shown(score));
    json->write(epoch_fields(place, result.steps, tally, evaluation, config.optimiser.lr, best));
  }

  /// A signal ended the run after a step: what was learnt is kept, though no epoch judged it.
  void finish_stopped(std::int64_t epoch, const EpochTally& tally) {
    average_batch_norm_statistics(*model, config.model.batch_norm_stats, *channels.control);
    log.info(
        fmt::format("stopped by a signal in epoch {}, after {} of {} steps", epoch + 1, tally.steps, plan.steps()));
    if (!writes()) return;
    save(folder->last_weights(), epoch + 1, "training loss", tally.loss());
    json->write({{"event", std::string("stopped")},
                 {"epoch", epoch + 1},
                 {"step", result.steps},
                 {"train_loss", tally.loss()}});
  }
};

Trainer::Trainer(const RunConfig& config, const Manifest& manifest, RankCommunicators& channels, const Log& log,
                 Hooks hooks)
    : state_(std::make_unique<State>(config, manifest, channels, log, std::move(hooks))) {}
Trainer::~Trainer() = default;

Model& Trainer::model() { return *state_->model; }

NetworkRecord Trainer::network() const {
  const TrainedPart& part = state_->trained;
  NetworkRecord record{std::string(name_of(state_->config.model.kind)),
                       part.elements(),
                       part.frozen_elements(),
                       state_->step->gradients().bytes(),
                       {}};
  for (std::size_t i = 0; i < part.frozen; ++i) record.frozen.push_back(part.parameters[i].name);
  return record;
}

TrainingResult Trainer::run(std::optional<RunFolder> folder) {
  State& s = *state_;
  s.folder = std::move(folder);
  if (s.folder) s.json.emplace(s.folder->log());
  const int rank = s.channels.control->rank(), ranks = s.channels.control->size();
  const std::int64_t threads = s.config.loader.threads == 0 ? s.config.threads : s.config.loader.threads;
  s.loader = std::make_unique<Loader>(
      s.train, s.transform, [&s](std::int64_t epoch, std::int64_t id) { return s.draw(epoch, id); },
      training_requests(s.config, s.plan, s.train.samples(), rank, ranks), threads, s.config.loader.prefetch,
      s.channels.gradients->device());
  for (std::int64_t epoch = 0; epoch < s.config.epochs && !s.result.stopped; ++epoch) {
    EpochTally tally;
    s.result.stopped = !s.run_steps(epoch, tally);
    if (s.result.stopped)
      s.finish_stopped(epoch, tally);
    else
      s.finish_epoch(epoch, tally);
  }
  return s.result;
}

}  // namespace lockstep
