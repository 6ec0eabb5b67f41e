#include "lockstep/train/trainer.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lockstep/comm/broadcast_text.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/machine.hpp"
#include "lockstep/features/frozen_prefix.hpp"
#include "lockstep/gradients/broadcast_parameters.hpp"
#include "lockstep/model/freezing.hpp"
#include "lockstep/model/learning_rates.hpp"
#include "lockstep/model/make_model.hpp"
#include "lockstep/model/pretrained.hpp"
#include "lockstep/optim/schedule.hpp"
#include "lockstep/weights/read_weights.hpp"
#include "train/cached_features.hpp"
#include "train/epoch_report.hpp"
#include "train/run_keeper.hpp"
#include "train/training_input.hpp"

namespace lockstep {
namespace {

std::shared_ptr<Model> build_model(const RunConfig& config, const Manifest& manifest, std::int64_t side) {
  const ModelInput shape{manifest.shape.channels, side, static_cast<std::int64_t>(manifest.classes.size())};
  return make_model(config.model, shape, config.seed);
}

}  // namespace

struct Trainer::State {
  RunConfig config;
  std::int64_t classes;
  std::string data_digest;
  WeightsOrigin origin;  // of the weight files
  RankCommunicators& channels;
  const Log& log;
  Hooks hooks;

  TrainingInput data;
  Schedule schedule;
  std::shared_ptr<Model> model;
  TrainedPart trained;
  std::size_t first_stage = 0;               // of the network, where batches go in
  std::unique_ptr<CachedFeatures> features;  // null: the whole network takes images
  std::unique_ptr<TrainingStep> step;
  std::size_t phase = 0;  // of the unfreezing
  std::unique_ptr<RunKeeper> keeper;
  std::unique_ptr<BatchSource> source;
  std::optional<Batch> batch;  // of the newest step

  TrainState at;
  EpochTally tally, stretch;      // of the epoch; since the last line of the log
  std::int64_t steps_before = 0;  // made before this start of the run
  std::int64_t kept_steps = 0;    // at.steps of the newest checkpoint
  bool checkpoint_by_clock = false;
  Stopwatch watch, since_live_line;

  State(const RunConfig& c, const Manifest& manifest, RankCommunicators& ch, const Log& l, Hooks h)
      : config(c),
        classes(static_cast<std::int64_t>(manifest.classes.size())),
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
    at.data_digest = data_digest;
    origin = origin_of(config, manifest, data.input());
  }

  /// Freezes what is frozen in the epoch that begins and makes the step of what is trained; what the optimiser knows of
  /// it goes on. Every rank calls it at the start, before a checkpoint is taken up and between epochs.
  void make_step_of_phase() {
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
    step = std::make_unique<TrainingStep>(*model, config, channels, first_stage);
    if (before) take_over(step->optimiser(), *before);
    if (keeps_features() && source) open_batches();
    if (!keeper) return;
    keeper->log({{"event", std::string("unfrozen")},
                 {"epoch", at.epoch + 1},
                 {"step", at.steps},
                 {"frozen_parameters", trained.frozen_elements()}});
  }

  /// Rank 0's are broadcast afterwards; the others' report is empty.
  PretrainedReport start_from_weights() const {
    const std::filesystem::path& file = config.model.weights;
    if (file.empty() || channels.control->rank() != 0) return {};
    const PretrainedReport report = start_from(read_weights(file, name_of(config.model.kind)), *model, file);
    log.info(describe(report, file));
    return report;
  }

  bool keeps_features() const { return config.features.place != FeatureCacheConfig::Place::off; }
  bool run_over() const { return at.steps >= data.steps(); }
  /// Nothing is left to do: resumed after its end.
  bool over_and_judged() const { return run_over() && at.judged_steps == at.steps; }
  bool epoch_over() const { return at.step == data.plan().steps(); }
  EpochPlace place() const { return {at.epoch + 1, config.epochs, at.step, data.plan().steps()}; }
  std::string metric_name() const {
    return data.judged() != nullptr ? std::string(name_of(config.metric)) : "training loss";
  }
  /// A score as a person expects it: losses are scored with their sign changed.
  double shown(double score) const {
    return data.judged() == nullptr || config.metric == Metric::loss ? -score : score;
  }

  double seconds_left() const {
    const auto made = static_cast<double>(at.steps - steps_before), left = static_cast<double>(data.steps() - at.steps);
    return made == 0 ? 0 : watch.seconds() * left / made;
  }

  void begin(std::optional<RunFolder> folder) {
    keeper = std::make_unique<RunKeeper>(std::move(folder), config.checkpoint, origin, data.input().scale,
                                         *channels.control);
    open_batches();
    tally = EpochTally(at.sums);
    steps_before = kept_steps = at.steps;
    watch.restart();
  }

  /// Batches from the step on that is made next: of images, or of features of what is frozen now. Comes after a
  /// checkpoint has brought its weights, and again where an unfreezing moves the cut.
  void open_batches() {
    batch.reset();
    source.reset();  // it reads the features
    features.reset();
    if (first_stage > 0 && !over_and_judged())
      features = std::make_unique<CachedFeatures>(config, *model, data, data_digest, *channels.control, log);
    source = open_source();
  }

  std::unique_ptr<BatchSource> open_source() {
    const int rank = channels.control->rank(), ranks = channels.control->size();
    const c10::Device device = channels.gradients->device();
    if (!features) return data.load_from(at.steps, rank, ranks, device);
    return features->training_batches(data.requests(at.steps, rank, ranks), device);
  }

  StepResult make_step() {
    const double waited_before = source->waited_seconds();
    batch = source->next();
    const double waited = source->waited_seconds() - waited_before;
    const int rank = channels.control->rank(), ranks = channels.control->size();
    const StepPlace where{at.steps, data.plan().step(at.step).size(), data.plan().rank_groups(at.step, rank, ranks),
                          hooks.stop_requested(), keeper->minutes_passed()};
    const StepResult made = step->run(*batch, where, schedule.lr(at.steps));
    for (EpochTally* sums : {&tally, &stretch}) {
      sums->add(made);
      sums->waited_seconds += waited;
    }
    require_finite(made);
    hooks.on_step(at.steps, made);
    ++at.step;
    ++at.steps;
    checkpoint_by_clock = made.checkpoint;
    return made;
  }

  void require_finite(const StepResult& made) const {
    if (std::isfinite(made.loss)) return;
    throw Error(fmt::format("the loss became {} in step {} of epoch {}", made.loss, at.steps + 1, at.epoch + 1),
                fmt::format("learning rate {}", schedule.lr(at.steps)),
                "lower the learning rate (--lr), warm up longer (--warmup), or look for damaged images");
  }

  void report_step() {
    if (at.step % config.log_every == 0) {
      keeper->log(step_fields(place(), at.steps, stretch, schedule.lr(at.steps - 1)));
      stretch = {};
    }
    if (since_live_line.seconds() <= 0.2) return;
    log.progress(live_line(place(), tally, seconds_left()));
    since_live_line.restart();
  }

  bool judgement_due() const {
    return at.judged_steps != at.steps && (run_over() || config.eval_every.due_after(at.steps, data.plan().steps()));
  }
  bool checkpoint_due() const {
    if (config.checkpoint.every.unit == Interval::Unit::never || kept_steps == at.steps) return false;
    return run_over() || checkpoint_by_clock || config.checkpoint.every.due_after(at.steps, data.plan().steps());
  }

  /// What has fallen due at this boundary between steps.
  void settle() {
    if (at.steps == 0) return;
    tally.stop_clock();
    const bool judge_now = judgement_due(), close_now = at.step > 0 && (epoch_over() || run_over());
    if (judge_now || close_now) average_batch_norm_statistics(*model, config.model.batch_norm_stats, *channels.control);
    std::optional<Evaluation> judged;
    const bool best = judge_now && judge(judged);
    if (close_now)
      close_epoch(judged, best);
    else if (judged)
      report_judgement(*judged, best);
    if (checkpoint_due()) keep();
    tally.resume_clock();
  }

  /// Judges the model (the training loss does where no split can) and keeps it if it is the best so far.
  bool judge(std::optional<Evaluation>& judged) {
    if (data.judged() != nullptr) {
      const EvaluationSettings settings{data.input().eval_resize, config.threads, config.metric == Metric::auc};
      const EvaluationInput input = features ? features->judged_input(device_of(*model))
                                             : images_of(*data.judged(), data.transform(), settings, device_of(*model));
      judged = evaluate(*model, input, classes, settings, *channels.control);
    }
    at.judged_steps = at.steps;
    if (!judged && tally.samples == 0) return false;  // no step since the epoch ended: no loss to judge by
    const double score = judged ? judged->metrics.score(config.metric) : -tally.loss();
    if (at.best_score && score <= *at.best_score) return false;
    at.best_score = score;
    at.best_epoch = at.epoch + 1;
    keeper->save_best(*model, {at.epoch + 1, at.steps, metric_name(), shown(score)});
    return true;
  }

  void report_judgement(const Evaluation& judged, bool best) {
    log.info(judged_line(place(), judged.metrics, best));
    keeper->log(judged_fields(place(), at.steps, judged, best));
  }

  /// The end of an epoch, or of a run that ends within one.
  void close_epoch(const std::optional<Evaluation>& judged, bool best) {
    const std::optional<Metrics> metrics = judged ? std::optional(judged->metrics) : std::nullopt;
    log.info(epoch_line(place(), tally, metrics, best, seconds_left()));
    keeper->save_last(*model, judged ? WeightsLabel{at.epoch + 1, at.steps, metric_name(),
                                                    shown(judged->metrics.score(config.metric))}
                                     : WeightsLabel{at.epoch + 1, at.steps, "training loss", tally.loss()});
    keeper->log(epoch_fields(place(), at.steps, tally, judged, schedule.lr(at.steps - 1), best));
    if (epoch_over()) {
      ++at.epoch;
      at.step = 0;
      tally = {};
      tally.stop_clock();
      make_step_of_phase();
    }
    stretch = {};
  }

  void keep() {
    at.sums = tally;
    at.ranks = channels.control->size();
    at.optimiser_steps = step->optimiser().steps();
    keeper->checkpoint(at, *model, step->optimiser(), config.model.batch_norm_stats);
    kept_steps = at.steps;
    checkpoint_by_clock = false;
  }

  /// A signal ended the run after a step: all is kept to go on from here, and what was learnt as weights too.
  void stop() {
    tally.stop_clock();
    keep();
    average_batch_norm_statistics(*model, config.model.batch_norm_stats, *channels.control);
    keeper->save_last(*model, {at.epoch + 1, at.steps, "training loss", tally.loss()});
    log.info(fmt::format("stopped by a signal in epoch {}, after {} of {} steps; a checkpoint is kept", at.epoch + 1,
                         at.step, data.plan().steps()));
    keeper->log(
        {{"event", std::string("stopped")}, {"epoch", at.epoch + 1}, {"step", at.steps}, {"train_loss", tally.loss()}});
    channels.control->barrier();
  }

  TrainingResult result(bool stopped) const {
    return {at.epoch, at.steps, metric_name(), at.best_score ? shown(*at.best_score) : 0, at.best_epoch, stopped};
  }

  TrainingResult run() {
    if (over_and_judged()) return result(false);
    if (keeper->goes_on()) {
      keeper->log({{"event", std::string("resumed")},
                   {"epoch", at.epoch + 1},
                   {"step", at.steps},
                   {"ranks", std::int64_t{channels.control->size()}}});
    }
    settle();
    while (!run_over()) {
      const StepResult made = make_step();
      report_step();
      if (made.stop && !run_over()) {
        stop();
        return result(true);
      }
      settle();
    }
    return result(false);
  }

  std::int64_t judgements() const {
    const std::int64_t steps = data.steps(), per_epoch = data.plan().steps();
    const std::int64_t every = config.eval_every.unit == Interval::Unit::epochs  ? config.eval_every.count * per_epoch
                               : config.eval_every.unit == Interval::Unit::steps ? config.eval_every.count
                                                                                 : steps;
    return steps / every + (steps % every == 0 ? 0 : 1);  // the end is always judged
  }

  /// Seconds that this rank's share of a judgement takes, by the forward pass of the newest batch.
  double judgement_seconds() {
    if (data.judged() == nullptr || batch->ids.empty()) return 0;
    const at::NoGradGuard no_grad;
    const Stopwatch forward;
    model->forward_stages(batch->images, BatchContext(), first_stage, model->stages().size())
        .sum()
        .item<float>();  // read: a GPU must have computed it
    const double ranks = channels.control->size();
    return forward.seconds() / static_cast<double>(batch->ids.size()) *
           std::ceil(static_cast<double>(data.judged()->samples()) / ranks);
  }

  Rehearsal rehearse() {
    constexpr std::int64_t rehearsed = 5;  // the first pays for memory and kernels that later ones find ready
    std::vector<double> seconds;
    Rehearsal found;
    if (run_over()) {
      throw usage_error(fmt::format("the run has made its {} steps: there is nothing to rehearse", at.steps),
                        "--dry-run", "give a later end (--epochs), or leave --resume out");
    }
    while (!run_over() && at.steps < steps_before + rehearsed) {
      const Stopwatch one;
      found.exchanged_bytes = make_step().exchange.bytes;
      seconds.push_back(one.seconds());
    }
    if (seconds.size() > 1) seconds.erase(seconds.begin());
    std::ranges::sort(seconds);
    at::Tensor slowest = at::tensor(
        {seconds[seconds.size() / 2], judgement_seconds(), static_cast<double>(peak_memory_bytes())}, at::kDouble);
    channels.control->maximum(slowest).wait();
    const double* values = slowest.const_data_ptr<double>();
    found.steps = data.steps();
    found.steps_per_epoch = data.plan().steps();
    found.judgements = data.judged() == nullptr ? 0 : judgements();
    found.step_seconds = values[0];
    found.judgement_seconds = values[1];
    found.peak_bytes = static_cast<std::int64_t>(values[2]);
    found.parameters = trained.elements();
    found.trained_parameters = trained.elements() - trained.frozen_elements();
    return found;
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
  for (const ParameterEntry& parameter : part.parameters) {
    if (parameter.frozen) record.frozen.push_back(parameter.name);
  }
  return record;
}

std::int64_t Trainer::restore(const std::optional<Checkpoint>& checkpoint) {
  State& s = *state_;
  s.at.epoch =
      std::stoll(broadcast_text(*s.channels.control, std::to_string(checkpoint ? checkpoint->state.epoch : 0)));
  s.make_step_of_phase();
  s.at = lockstep::restore(checkpoint, s.data_digest, *s.model, s.step->optimiser(), *s.channels.control,
                           *s.channels.gradients);
  if (s.at.steps > s.data.steps()) {
    throw usage_error(fmt::format("the run has made {} steps already, more than the {} after which it would end",
                                  s.at.steps, s.data.steps()),
                      "--epochs, --max-steps", "give a later end, or leave them out");
  }
  return s.at.steps;
}

TrainingResult Trainer::run(std::optional<RunFolder> folder) {
  state_->begin(std::move(folder));
  return state_->run();
}

Rehearsal Trainer::rehearse() {
  State& s = *state_;
  s.begin(std::nullopt);
  return s.rehearse();
}

}  // namespace lockstep
