#include "commands/committee.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <numeric>

#include "lockstep/config/run_config.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/json_text.hpp"
#include "lockstep/evaluate/full_metrics.hpp"
#include "lockstep/model/make_model.hpp"
#include "lockstep/record/run_folder.hpp"

namespace lockstep {
namespace {

constexpr std::array<std::string_view, 5> rule_names{"average", "vote", "best", "greedy", "parameters"};  // [rule]

EnsembleRule rule_of(const Options& options) {
  const auto found = std::ranges::find(rule_names, options.text("ensemble"));
  return static_cast<EnsembleRule>(found - rule_names.begin());
}

std::vector<double> weights_of(const Options& options, std::size_t members, bool chooses) {
  options.reject_unused("member-weights", !chooses, "--ensemble average, vote or parameters");
  if (!options.has("member-weights")) return std::vector<double>(members, 1.0);
  std::vector<double> weights = options.reals("member-weights");
  if (weights.size() != members)
    options.reject("member-weights", fmt::format("{} weights for {} runs", weights.size(), members),
                   "give one for each --run, in their order");
  if (std::accumulate(weights.begin(), weights.end(), 0.0) <= 0)
    options.reject("member-weights", "all weights are 0", "give a weight above 0 to those that shall count");
  return weights;
}

/// What keeps two members from being averaged; empty: nothing.
std::string difference(const Member& a, const Member& b) {
  if (a.network != b.network) return fmt::format("networks: {} and {}", a.network, b.network);
  if (a.packed.channels != b.packed.channels)
    return fmt::format("channels: {} and {}", a.packed.channels, b.packed.channels);
  if (a.side != b.side || a.eval_resize != b.eval_resize)
    return fmt::format("sizes of images: {} of {} and {} of {} pixels", a.side, a.eval_resize, b.side, b.eval_resize);
  if (a.scale.mean != b.scale.mean || a.scale.std != b.scale.std) return "normalisations of images";
  return "";
}

/// One network with the weighted mean of the members' parameters.
Member mean_member(const std::vector<Member>& members, const std::vector<double>& weights) {
  std::vector<const Model*> models;
  std::vector<std::string> names;
  for (const Member& member : members) {
    const std::string differs = difference(members.front(), member);
    if (!differs.empty()) {
      throw Error(
          fmt::format("{} and {} have other {}", members.front().name, member.name, differs), "--ensemble parameters",
          "average runs of one kind, such as several --seed of one, or their probabilities: --ensemble average");
    }
    models.push_back(member.model.get());
    names.push_back(member.name);
  }
  Member mean = members.front();
  mean.name = "mean parameters";
  const RunConfig config = RunConfig::from(RunFolder::open(members.front().name).options());
  mean.model = make_model(config.model, {mean.packed.channels, mean.side, std::ssize(mean.classes)}, config.seed);
  mean_parameters(models, names, weights, *mean.model);
  return mean;
}

nlohmann::ordered_json object_of(const Metrics& metrics, const std::vector<std::string>& classes) {
  return nlohmann::ordered_json::parse(metrics_object(metrics, classes));
}

}  // namespace

Committee::Committee(std::vector<Member> members, const Options& options)
    : members_(std::move(members)), rule_(rule_of(options)) {
  require_same_classes(members_);
  for (const char* option : {"ensemble", "member-weights"}) options.reject_unused(option, !alone(), "several --run");
  weights_ = weights_of(options, members_.size(), chooses());
  if (rule_ == EnsembleRule::parameters && !alone()) mean_.push_back(mean_member(members_, weights_));
}

std::string_view Committee::rule() const { return rule_names[static_cast<std::size_t>(rule_)]; }

Combination Committee::combination() const {
  const auto rule = rule_ == EnsembleRule::vote ? Combination::Rule::vote : Combination::Rule::mean;
  return {rule, mean_.empty() ? weights_ : std::vector<double>{1}};
}

void Committee::to(c10::Device device) {
  for (const Member& member : members_) member.model->to(device);
  for (const Member& member : mean_) member.model->to(device);
}

void Committee::choose(const ShownImages& images, Communicator& communicator) {
  std::vector<Metrics> metrics;
  std::vector<std::vector<double>> losses;  // [member][sample]
  for (const Scorer& scorer : images.scorers()) {
    EvaluationSettings settings = scorer.settings;
    settings.scores = KeepScores::nowhere;  // losses and counts choose
    const Evaluation evaluation = evaluate(scorer.model, scorer.input, class_count(), settings, communicator);
    metrics.push_back(evaluation.metrics);
    losses.emplace_back();
    for (const Prediction& prediction : evaluation.predictions) losses.back().push_back(prediction.loss);
  }
  if (rule_ == EnsembleRule::greedy) {
    weights_ = greedy_weights(losses);
    return;
  }
  weights_.assign(members_.size(), 0.0);
  weights_[best_member(metrics)] = 1;
}

Judgement Committee::judge(const ShownImages& images, const ShownImages& mean, Communicator& communicator) const {
  const Combination how = mean_.empty() ? combination() : Combination{Combination::Rule::mean, weights_};
  EnsembleEvaluation found = evaluate_ensemble(images.scorers(), how, class_count(), communicator);
  if (!mean_.empty()) {
    const Scorer& scorer = mean.scorers().front();
    found.ensemble = evaluate(scorer.model, scorer.input, class_count(), scorer.settings, communicator);
  }
  return {std::move(found.members), std::move(found.ensemble)};
}

std::string Committee::table(const Judgement& judgement) const {
  const std::string ensemble = fmt::format("ensemble ({})", rule());
  std::size_t width = ensemble.size();
  for (const Member& member : members_) width = std::max(width, member.name.size());
  std::string text =
      fmt::format("{:<{}}  {:>7}  {:>10}  {:>8}  {:>8}\n", "member", width, "weight", "accuracy", "loss", "macro F1");
  const auto line = [&](const std::string& name, const std::string& weight, const Metrics& m) {
    text += fmt::format("{:<{}}  {:>7}  {:>8.2f} %  {:>8.4f}  {:>8.4f}\n", name, width, weight, 100 * m.accuracy,
                        m.loss, m.macro.f1);
  };
  const double total = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  for (std::size_t m = 0; m < members_.size(); ++m)
    line(members_[m].name, fmt::format("{:.3f}", weights_[m] / total), judgement.members[m].metrics);
  line(ensemble, "", judgement.ensemble.metrics);
  return text;
}

std::string Committee::json(const Judgement& judgement, const std::string& split, std::string_view more) const {
  nlohmann::ordered_json file{{"format_version", 1}, {"split", split}, {"rule", rule()}};
  const double total = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  for (std::size_t m = 0; m < members_.size(); ++m) {
    nlohmann::ordered_json member{{"run", members_[m].name}, {"weight", weights_[m] / total}};
    member.update(object_of(judgement.members[m].metrics, classes()));
    file["members"].push_back(member);
  }
  file["ensemble"] = object_of(judgement.ensemble.metrics, classes());
  if (!more.empty()) file.update(nlohmann::ordered_json::parse(more));
  return json_text(file) + "\n";
}

}  // namespace lockstep
