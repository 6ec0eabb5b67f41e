#include "lockstep/train/trainer.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "lockstep/comm/broadcast_text.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/evaluate/metric_choice.hpp"
#include "train/norm_statistics.hpp"
#include "train/trainer_state.hpp"

namespace lockstep {
namespace {

/// Puts a mean of the weights in the network's place for as long as it lives.
class MeanInPlace {
 public:
  explicit MeanInPlace(WeightAverage* average) : average_(average != nullptr && average->begun() ? average : nullptr) {
    if (average_ != nullptr) average_->exchange();
  }
  ~MeanInPlace() {
    if (average_ != nullptr) average_->exchange();
  }
  MeanInPlace(const MeanInPlace&) = delete;
  MeanInPlace& operator=(const MeanInPlace&) = delete;
  explicit operator bool() const { return average_ != nullptr; }

 private:
  WeightAverage* average_;
};

}  // namespace

bool Trainer::State::judged_after(std::int64_t steps) const {
  return steps >= data.steps() || config.eval_every.due_after(steps, data.plan().steps());
}

bool Trainer::State::judgement_due() const {
  return at.judged_steps != at.steps && (run_over() || judged_after(at.steps));
}

bool Trainer::State::checkpoint_due() const {
  if (config.checkpoint.every.unit == Interval::Unit::never) return false;
  if (kept.steps == at.steps && kept.judged_steps == at.judged_steps) return false;
  return run_over() || checkpoint_by_clock || config.checkpoint.every.due_after(at.steps, data.plan().steps());
}

/// What has fallen due at this boundary between steps.
void Trainer::State::settle() {
  if (at.steps == 0) return;
  tally.stop_clock();
  const bool judge_now = judgement_due();
  if (judge_now && checkpoint_by_clock && checkpoint_due()) keep();
  if (judge_now || (at.step > 0 && (epoch_over() || run_over()))) {
    average_batch_norm_statistics(*model, config.model.batch_norm_stats, *channels.control);
    if (average && epoch_over()) average->after_epoch(at.epoch + 1);
    judge_and_close(judge_now);
  }
  if (epoch_over()) {
    ++at.epoch;
    at.step = 0;
    tally = {};
    tally.stop_clock();
    make_step_of_phase();
  }
  if (checkpoint_due()) keep();
  tally.resume_clock();
}

void Trainer::State::judge_and_close(bool judge_now) {
  const MeanInPlace mean(average.get());
  if (mean) {
    if (config.averaging.from_epoch > 0) measure_statistics();
    average_batch_norm_statistics(*model, config.model.batch_norm_stats, *channels.control);
  }
  const double lr = lr_of(at.steps - 1);  // before judging lowers it
  std::optional<Evaluation> judged;
  const bool best = judge_now && judge(judged);
  if (at.step > 0 && (epoch_over() || run_over()))  // judging may have ended the run
    close_epoch(judged, best, lr);
  else if (judged)
    report_judgement(*judged, best);
}

void Trainer::State::measure_statistics() {
  constexpr std::int64_t most = 64;  // batches: enough for a mean, few beside an epoch
  NormStatistics statistics(*model);
  if (!statistics.any()) return;
  const std::int64_t steps = data.plan().steps(), first = (at.steps - 1) / steps * steps;
  const std::int64_t batches = std::min(most, std::min(steps, data.steps() - first));
  batch.reset();
  source.reset();
  source = open_source(first);
  for (std::int64_t i = 0; i < batches; ++i) {
    statistics.before_batch();
    batch = source->next();
    step->observe(*batch, place_of(first + i, i));
    statistics.after_batch();
  }
  statistics.finish();
  batch.reset();
  source.reset();
  source = open_source(at.steps);
}

/// Judges the model (the training loss does where no split can) and keeps it if it is the best so far.
bool Trainer::State::judge(std::optional<Evaluation>& judged) {
  if (data.judged() != nullptr) {
    const EvaluationSettings settings{data.input().eval_resize, config.threads, scores_for(config.metric)};
    const EvaluationInput input = features ? features->judged_input(device_of(*model))
                                           : images_of(*data.judged(), data.transform(), settings, device_of(*model));
    judged = evaluate(*model, input, classes, settings, *channels.control);
  }
  at.judged_steps = at.steps;
  if (!judged && tally.samples == 0) return false;  // no step since the epoch ended: no loss to judge by
  const double score = judged ? judged->metrics.score(config.metric) : -tally.loss();
  count_judgement(score);
  if (at.best_score && score <= *at.best_score) return false;
  if (judged) {
    keeper->show_judged(at.steps, judged->predictions, {*data.judged(), data.transform(), data.input().eval_resize});
  }
  at.best_score = score;
  at.best_epoch = at.epoch + 1;
  keeper->save_best(*model, {at.epoch + 1, at.steps, metric_name(), shown(score)});
  return true;
}

void Trainer::State::count_judgement(double score) {
  if (config.early_stopping.patience > 0) at.early_stopping.count(score, config.min_change);
  if (config.schedule.kind != ScheduleKind::plateau || schedule.warms_up(at.steps)) return;
  at.plateau.count(score, config.min_change);
  if (at.plateau.waited <= config.schedule.patience) return;
  const double before = lr_of(at.steps);
  ++at.plateaus;
  at.plateau.waited = 0;
  if (lr_of(at.steps) == before || run_over()) return;  // it was at its least; or no step follows
  log.info(fmt::format("{} has not improved in {} judgements: the learning rate falls to {:.4g}", metric_name(),
                       config.schedule.patience + 1, lr_of(at.steps)));
  keeper->log(
      {{"event", std::string("plateau")}, {"epoch", at.epoch + 1}, {"step", at.steps}, {"lr", lr_of(at.steps)}});
}

void Trainer::State::report_judgement(const Evaluation& judged, bool best) {
  log.info(judged_line(place(), judged.metrics, best));
  keeper->log(judged_fields(place(), at.steps, judged, best));
}

/// The end of an epoch, or of a run that ends within one.
void Trainer::State::close_epoch(const std::optional<Evaluation>& judged, bool best, double lr) {
  const std::optional<Metrics> metrics = judged ? std::optional(judged->metrics) : std::nullopt;
  log.info(epoch_line(place(), tally, metrics, best, stopped_early() ? 0 : seconds_left()));
  keeper->save_last(
      *model, judged ? WeightsLabel{at.epoch + 1, at.steps, metric_name(), shown(judged->metrics.score(config.metric))}
                     : WeightsLabel{at.epoch + 1, at.steps, "training loss", tally.loss()});
  keeper->log(epoch_fields(place(), at.steps, tally, judged, lr, best));
  keeper->show_tensors(at.epoch + 1, at.steps, step->gradients().parameters(), at.steps > steps_before);
  stretch = {};
}

void Trainer::State::keep() {
  at.sums = tally;
  at.ranks = channels.control->size();
  at.optimiser_steps = step->optimiser().steps();
  at.averaged = average ? average->count() : 0;
  keeper->checkpoint(at, *model, step->optimiser(), average.get(), config.model.batch_norm_stats);
  kept = {at.steps, at.judged_steps};
  checkpoint_by_clock = false;
}

/// A signal ended the run after a step: all is kept to go on from here, and what was learnt as weights too.
void Trainer::State::stop() {
  tally.stop_clock();
  keep();
  average_batch_norm_statistics(*model, config.model.batch_norm_stats, *channels.control);
  {
    const MeanInPlace mean(average.get());
    if (mean) average_batch_norm_statistics(*model, config.model.batch_norm_stats, *channels.control);
    keeper->save_last(*model, {at.epoch + 1, at.steps, "training loss", tally.loss()});
  }
  log.info(fmt::format("stopped by a signal in epoch {}, after {} of {} steps; a checkpoint is kept", at.epoch + 1,
                       at.step, data.plan().steps()));
  keeper->log({{"event", std::string("stopped")},
               {"epoch", at.epoch + 1},
               {"step", at.steps},
               {"train_loss", tally.loss()},
               {"reason", std::string("a signal")}});
  channels.control->barrier();
}

TrainingResult Trainer::State::result(bool stopped) const {
  return {at.epoch,      at.steps, metric_name(),  at.best_score ? shown(*at.best_score) : 0,
          at.best_epoch, stopped,  stopped_early()};
}

TrainingResult Trainer::State::finished() {
  hooks.before_end();
  const TrainingResult made = result(false);
  const std::string_view reason = stopped_early()                ? "stopped early"
                                  : made.epochs == config.epochs ? "all epochs made"
                                                                 : "--max-steps reached";
  keeper->log({{"event", std::string("finished")},
               {"epoch", at.step == 0 ? at.epoch : at.epoch + 1},  // of the last step made
               {"step", made.steps},
               {"metric", made.metric},
               {"best_value", made.best_value},
               {"best_epoch", made.best_epoch},
               {"reason", std::string(reason)}});
  return made;
}

TrainingResult Trainer::State::run() {
  if (over_and_judged()) {
    if (stopped_early()) keeper->load_best(*model, *channels.gradients);
    if (!keeper->has_finished()) return finished();  // it was killed before it could say so
    return result(false);
  }
  LogFields begun{{"event", std::string(keeper->goes_on() ? "resumed" : "started")},
                  {"epoch", at.epoch + 1},
                  {"step", at.steps},
                  {"steps", data.steps()},
                  {"ranks", std::int64_t{channels.control->size()}},
                  {"metric", metric_name()}};
  if (at.best_score) {  // of weights that are kept, even if their step is made once more
    begun.emplace_back("best_value", shown(*at.best_score));
    begun.emplace_back("best_epoch", at.best_epoch);
  }
  keeper->log(begun);
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
  if (stopped_early()) {
    const std::string by = config.min_change > 0 ? fmt::format(" by more than {}", config.min_change) : "";
    log.info(fmt::format("stopped early: {} has not improved{} in {} judgements; the best weights are of epoch {}",
                         metric_name(), by, at.early_stopping.waited, at.best_epoch));
    keeper->log({{"event", std::string("stopped_early")},
                 {"epoch", at.step == 0 ? at.epoch : at.epoch + 1},  // of the last step made
                 {"step", at.steps},
                 {"metric", metric_name()},
                 {"judgements_without_improvement", at.early_stopping.waited},
                 {"best_epoch", at.best_epoch}});
    keeper->load_best(*model, *channels.gradients);
  }
  return finished();
}

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
  s.at = lockstep::restore(checkpoint, s.data_digest, {*s.model, s.step->optimiser(), s.average.get()},
                           *s.channels.control, *s.channels.gradients);
  Patience& waiting = s.at.early_stopping;
  if (s.config.early_stopping.patience > 0 && !waiting.best)
    waiting.best = s.at.best_score;  // it was asked for only now
  if (s.at.steps > s.data.steps()) {
    throw usage_error(fmt::format("the run has made {} steps already, more than the {} after which it would end",
                                  s.at.steps, s.data.steps()),
                      "--epochs, --max-steps", "give a later end, or leave them out");
  }
  return s.at.steps;
}

TrainingResult Trainer::run(std::optional<RunFolder> folder) {
  const auto note = [&](const std::string& reason) {
    if (state_->keeper) state_->keeper->note_failure(state_->at.epoch + 1, state_->at.steps, reason);
  };
  try {
    state_->begin(std::move(folder));
    return state_->run();
  } catch (const Error& error) {
    note(error.message());
    throw;
  } catch (const std::exception& fault) {  // of a library: out of memory, say
    const std::string text = fault.what();
    note(text.substr(0, text.find('\n')));
    throw;
  }
}

LrSearch Trainer::find_lr() {
  State& s = *state_;
  s.begin(std::nullopt);
  return s.find_lr();
}

Rehearsal Trainer::rehearse() {
  State& s = *state_;
  s.begin(std::nullopt);
  return s.rehearse();
}

}  // namespace lockstep
