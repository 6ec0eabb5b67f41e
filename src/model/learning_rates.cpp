#include "lockstep/model/learning_rates.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

bool is_trained(const Model& model, const Stage& stage) {
  for (const auto& item : model.named_parameters()) {
    if (item.value().requires_grad() && stage.owns(item.key())) return true;
  }
  return false;
}

/// The head that a parameter belongs to; empty: none.
std::string head_of(const Model& model, const std::string& parameter) {
  for (const std::string& head : model.heads()) {
    if (parameter.starts_with(head + ".")) return head;
  }
  return "";
}

/// [stage]: how many trained stages stand behind it.
std::vector<int> trained_behind(const Model& model) {
  const std::vector<Stage>& stages = model.stages();
  std::vector<int> behind(stages.size(), 0);
  int count = 0;
  for (std::size_t i = stages.size(); i-- > 0;) {
    behind[i] = count;
    count += is_trained(model, stages[i]) ? 1 : 0;
  }
  return behind;
}

/// What learns at one rate, and its factor.
struct Place {
  std::string name;
  double factor;
};

Place place_of(const Model& model, const OptimiserConfig& config, const std::vector<int>& behind,
               const std::string& parameter) {
  const std::string head = head_of(model, parameter);
  if (!head.empty() && config.head_lr > 0) return {head, config.head_lr / config.lr};
  for (std::size_t i = 0; i < behind.size(); ++i) {
    if (model.stages()[i].owns(parameter)) return {model.stages()[i].name, std::pow(config.layer_decay, behind[i])};
  }
  throw defect("a parameter that no stage owns", parameter);
}

}  // namespace

std::vector<double> learning_rate_factors(const Model& model, const OptimiserConfig& config,
                                          const std::vector<std::string>& parameters) {
  std::vector<double> factors(parameters.size(), 1.0);
  if (!config.has_groups()) return factors;
  const std::vector<int> behind = trained_behind(model);
  for (std::size_t i = 0; i < parameters.size(); ++i)
    factors[i] = place_of(model, config, behind, parameters[i]).factor;
  return factors;
}

std::string describe_learning_rates(const Model& model, const OptimiserConfig& config) {
  const std::vector<int> behind = trained_behind(model);
  std::vector<std::string> texts;
  std::string first, last;
  double factor = 0;
  const auto close = [&] {
    if (first.empty()) return;
    texts.push_back(fmt::format("{}{} {:.4g}", first, first == last ? "" : " … " + last, config.lr * factor));
  };
  for (const auto& item : model.named_parameters()) {
    if (!item.value().requires_grad()) continue;
    const Place place = place_of(model, config, behind, item.key());
    if (first.empty() || place.factor != factor) {
      close();
      first = place.name;
      factor = place.factor;
    }
    last = place.name;
  }
  close();
  return fmt::format("learning rates: {}", fmt::join(texts, ", "));
}

}  // namespace lockstep
