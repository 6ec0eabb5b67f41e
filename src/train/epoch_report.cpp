#include "train/epoch_report.hpp"

#include <fmt/format.h>

namespace lockstep {

void EpochTally::add(const StepResult& result) {
  loss_sum += result.loss * static_cast<double>(result.samples);
  samples += result.samples;
  correct += result.correct;
  ++steps;
  exposed_seconds += result.exchange.exposed_seconds;
}

void EpochTally::stop_clock() {
  if (!running_) return;
  seconds = before_ + watch_.seconds();
  running_ = false;
}

void EpochTally::resume_clock() {
  if (running_) return;
  before_ = seconds;
  watch_.restart();
  running_ = true;
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  if (whole >= 3600) return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
  if (whole >= 60) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} s", whole);
}

std::string live_line(const EpochPlace& place, const EpochTally& tally, double seconds_left) {
  return fmt::format(
      "epoch {}/{} step {}/{}  loss {:.4f}  accuracy {:.1f} %  {:.1f} images/s  waiting {:.0f} %  {} left", place.epoch,
      place.epochs, place.step, place.steps, tally.loss(), 100 * tally.accuracy(), tally.images_per_second(),
      100 * tally.wait_share(), duration_text(seconds_left));
}

std::string epoch_line(const EpochPlace& place, const EpochTally& tally, const std::optional<Metrics>& judged,
                       bool best, double seconds_left) {
  std::string text = fmt::format("epoch {:>3}/{}  loss {:.4f}  accuracy {:5.2f} %", place.epoch, place.epochs,
                                 tally.loss(), 100 * tally.accuracy());
  if (judged)
    text += fmt::format("  │ judged: loss {:.4f}  accuracy {:5.2f} %{}", judged->loss, 100 * judged->accuracy,
                        best ? " (best)" : "       ");
  return text + fmt::format("  │ {:.1f} images/s, {:.1f} % waiting for data, {} left", tally.images_per_second(),
                            100 * tally.wait_share(), duration_text(seconds_left));
}

LogFields step_fields(const EpochPlace& place, std::int64_t step, const EpochTally& tally, double lr,
                      const std::optional<double>& gradient_norm) {
  LogFields fields{{"event", std::string("step")},
                   {"epoch", place.epoch},
                   {"step", step},
                   {"loss", tally.loss()},
                   {"accuracy", tally.accuracy()},
                   {"lr", lr},
                   {"images_per_second", tally.images_per_second()},
                   {"wait_seconds", tally.waited_seconds},
                   {"wait_share", tally.wait_share()},
                   {"exposed_exchange_seconds", tally.exposed_seconds}};
  if (gradient_norm) fields.emplace_back("gradient_norm", *gradient_norm);
  return fields;
}

std::string judged_line(const EpochPlace& place, const Metrics& judged, bool best) {
  return fmt::format("epoch {:>3}/{}  step {}/{}  │ judged: loss {:.4f}  accuracy {:5.2f} %{}", place.epoch,
                     place.epochs, place.step, place.steps, judged.loss, 100 * judged.accuracy, best ? " (best)" : "");
}

namespace {

void add_judgement(LogFields& fields, const Evaluation& judged) {
  const Metrics& m = judged.metrics;
  fields.emplace_back("eval_samples", m.samples);
  for (auto& field : LogFields{{"eval_loss", m.loss},
                               {"eval_accuracy", m.accuracy},
                               {"eval_top5_accuracy", m.top5},
                               {"eval_balanced_accuracy", m.balanced_accuracy},
                               {"eval_macro_recall", m.macro.recall},
                               {"eval_macro_f1", m.macro.f1},
                               {"eval_mcc", m.matthews},
                               {"eval_seconds", judged.seconds}}) {
    fields.push_back(std::move(field));
  }
  if (m.kappa) fields.emplace_back("eval_kappa", *m.kappa);
  if (m.macro.auc) fields.emplace_back("eval_auc", *m.macro.auc);
  if (m.macro.average_precision) fields.emplace_back("eval_average_precision", *m.macro.average_precision);
}

}  // namespace

LogFields judged_fields(const EpochPlace& place, std::int64_t step, const Evaluation& judged, bool best) {
  LogFields fields{{"event", std::string("evaluation")}, {"epoch", place.epoch}, {"step", step}};
  add_judgement(fields, judged);
  fields.emplace_back("best", best);
  return fields;
}

LogFields epoch_fields(const EpochPlace& place, std::int64_t step, const EpochTally& tally,
                       const std::optional<Evaluation>& judged, double lr, bool best) {
  LogFields fields{{"event", std::string("epoch")},
                   {"epoch", place.epoch},
                   {"step", step},
                   {"samples", tally.samples},
                   {"train_loss", tally.loss()},
                   {"train_accuracy", tally.accuracy()},
                   {"lr", lr},
                   {"train_seconds", tally.elapsed()},
                   {"images_per_second", tally.images_per_second()},
                   {"wait_seconds", tally.waited_seconds},
                   {"wait_share", tally.wait_share()},
                   {"exposed_exchange_seconds", tally.exposed_seconds}};
  if (judged) add_judgement(fields, *judged);
  fields.emplace_back("best", best);
  return fields;
}

}  // namespace lockstep
