#include "lockstep/evaluate/ensemble.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <mutex>
#include <numeric>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

constexpr double no_probability = -std::numeric_limits<double>::infinity();

/// log(exp(a) + exp(b)); one of them may be −∞.
double log_sum(double a, double b) {
  const double top = std::max(a, b);
  return top == no_probability ? top : top + std::log1p(std::exp(std::min(a, b) - top));
}

double log_normaliser(std::span<const float> scores) {
  const double top = *std::ranges::max_element(scores);
  double total = 0;
  for (const float score : scores) total += std::exp(score - top);
  return top + std::log(total);
}

std::span<const float> row_of(const ScoredBlock& block, std::size_t i) {
  const auto classes = static_cast<std::size_t>(block.scores.size(1));
  return {block.scores.const_data_ptr<float>() + i * classes, classes};
}

/// Adds a share of a member's probabilities, as logarithms.
void add_probabilities(std::span<const float> scores, double share, std::span<double> sum) {
  const double shift = std::log(share) - log_normaliser(scores);
  for (std::size_t c = 0; c < sum.size(); ++c) sum[c] = log_sum(sum[c], scores[c] + shift);
}

/// The class with most votes; `mean` decides between equal ones, then the lower number. Sums of weights such as 0.1 and
/// 0.2 are equal within rounding.
std::int64_t elected(const std::vector<double>& votes, std::span<const double> mean) {
  constexpr double rounding = 1e-9;  // of votes that add up to 1
  const double most = *std::ranges::max_element(votes);
  std::size_t winner = votes.size();
  for (std::size_t c = 0; c < votes.size(); ++c) {
    if (votes[c] < most - rounding) continue;
    if (winner == votes.size() || mean[c] > mean[winner]) winner = c;
  }
  return static_cast<std::int64_t>(winner);
}

std::vector<double> shares_of(const std::vector<double>& weights) {
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<double> shares;
  for (const double weight : weights) shares.push_back(weight / total);
  return shares;
}

/// The only member that counts, if there is only one.
std::optional<std::size_t> lone_member(const std::vector<double>& weights) {
  const auto counts = [](double weight) { return weight > 0; };
  if (std::ranges::count_if(weights, counts) != 1) return std::nullopt;
  return static_cast<std::size_t>(std::ranges::find_if(weights, counts) - weights.begin());
}

void check_same_samples(const ScoredBlock& first, const ScoredBlock& other) {
  if (first.ids == other.ids) return;
  throw Error(fmt::format("two members see different images in block {}", first.number), "ensemble",
              "images that one of the packings could not read: name a packed data set that all members can use");
}

/// Blocks come from threads in any order.
std::vector<ScoredBlock> blocks_of(const Scorer& scorer, const Blocks& blocks, Range range,
                                   const Communicator& communicator) {
  std::mutex mutex;
  std::vector<ScoredBlock> scored;
  score_blocks(scorer.model, scorer.input, blocks, range, scorer.settings, communicator, [&](ScoredBlock block) {
    const std::lock_guard lock(mutex);
    scored.push_back(std::move(block));
  });
  std::ranges::sort(scored, {}, &ScoredBlock::number);
  return scored;
}

std::vector<ScoredBlock> combined_blocks(const Combination& how, const std::vector<std::vector<ScoredBlock>>& members) {
  std::vector<ScoredBlock> combined;
  std::size_t blocks = 0;
  for (const auto& of_member : members) blocks = std::max(blocks, of_member.size());
  for (std::size_t b = 0; b < blocks; ++b) {
    std::vector<ScoredBlock> here;
    for (const auto& of_member : members) here.push_back(of_member.empty() ? ScoredBlock() : of_member[b]);
    combined.push_back(combine(how, here));
  }
  return combined;
}

/// Mean log-loss of a sum of probabilities.
double log_loss(const std::vector<double>& sums, double added) {
  double total = 0;
  for (const double sum : sums) total -= std::log(std::max(sum / added, std::numeric_limits<double>::min()));
  return total / static_cast<double>(sums.size());
}

std::vector<double> sum_of(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> sums(a.size());
  std::ranges::transform(a, b, sums.begin(), std::plus<>());
  return sums;
}

std::vector<double> probabilities_of(const std::vector<double>& losses) {
  std::vector<double> probabilities;
  for (const double loss : losses) probabilities.push_back(std::exp(-loss));
  return probabilities;
}

}  // namespace

ScoredBlock combine(const Combination& how, const std::vector<ScoredBlock>& members) {
  if (const auto lone = lone_member(how.weights)) return members[*lone];
  const std::vector<double> shares = shares_of(how.weights);
  const std::size_t first =
      static_cast<std::size_t>(std::ranges::find_if(shares, [](double share) { return share > 0; }) - shares.begin());
  ScoredBlock result{members[first].number, members[first].ids, members[first].labels,
                     at::full_like(members[first].scores, no_probability, at::kDouble)};
  const auto classes = static_cast<std::size_t>(result.scores.size(1));
  for (std::size_t m = first; m < members.size(); ++m) {
    if (shares[m] > 0) check_same_samples(members[first], members[m]);
  }
  for (std::size_t i = 0; i < result.ids.size(); ++i) {
    const std::span<double> mean(result.scores.data_ptr<double>() + i * classes, classes);
    std::vector<double> votes(classes);
    for (std::size_t m = first; m < members.size(); ++m) {
      if (shares[m] == 0) continue;
      const std::span<const float> scores = row_of(members[m], i);
      add_probabilities(scores, shares[m], mean);
      votes[static_cast<std::size_t>(std::ranges::max_element(scores) - scores.begin())] += shares[m];
    }
    if (how.rule == Combination::Rule::vote) result.winners.push_back(elected(votes, mean));
  }
  return result;
}

std::size_t best_member(std::span<const Metrics> members) {
  const auto better = [](const Metrics& a, const Metrics& b) {
    return a.accuracy != b.accuracy ? a.accuracy > b.accuracy : a.loss < b.loss;
  };
  return static_cast<std::size_t>(std::ranges::min_element(members, better) - members.begin());
}

std::vector<double> greedy_weights(const std::vector<std::vector<double>>& losses) {
  constexpr std::size_t most_added = 100;
  constexpr double noticed = 1e-12;                // an improvement above rounding
  std::vector<std::vector<double>> probabilities;  // [member][sample], of the right class
  for (const std::vector<double>& of_member : losses) probabilities.push_back(probabilities_of(of_member));
  std::vector<double> counts(losses.size()), best_counts, sums(losses.front().size());
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t added = 1; added <= most_added; ++added) {
    std::size_t chosen = 0;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t m = 0; m < losses.size(); ++m) {
      const double loss = log_loss(sum_of(sums, probabilities[m]), static_cast<double>(added));
      if (loss >= least - noticed) continue;
      least = loss;
      chosen = m;
    }
    sums = sum_of(sums, probabilities[chosen]);
    counts[chosen] += 1;
    if (least >= best - noticed) continue;
    best = least;
    best_counts = counts;
  }
  return shares_of(best_counts);
}

void mean_parameters(const std::vector<const Model*>& members, const std::vector<std::string>& names,
                     const std::vector<double>& weights, Model& into) {
  const at::NoGradGuard no_grad;
  const std::vector<double> shares = shares_of(weights);
  const auto target = state_of(into);
  std::vector<at::Tensor> sums;
  for (const auto& [name, tensor] : target)
    sums.push_back(tensor.is_floating_point() ? at::zeros_like(tensor, at::kDouble) : tensor);
  for (std::size_t m = 0; m < members.size(); ++m) {
    const auto state = state_of(*members[m]);
    for (std::size_t i = 0; i < std::max(state.size(), target.size()); ++i) {
      const bool same = i < state.size() && i < target.size() && state[i].first == target[i].first &&
                        state[i].second.sizes() == target[i].second.sizes();
      if (!same) {
        throw Error(fmt::format("{} and {} are different networks: they part at {}", names[0], names[m],
                                i < target.size() ? target[i].first : state[i].first),
                    "--ensemble parameters",
                    "average networks of one kind, or their probabilities: --ensemble average");
      }
      if (sums[i].scalar_type() == at::kDouble)
        sums[i].add_(state[i].second.to(at::kDouble), shares[m]);
      else if (m == 0)
        sums[i].copy_(state[i].second);
    }
  }
  for (std::size_t i = 0; i < target.size(); ++i) at::Tensor(target[i].second).copy_(sums[i]);
}

void score_windows(const std::vector<Scorer>& members, const Combination& how, bool all,
                   const Communicator& communicator, const std::function<void(ScoredWindow)>& take) {
  constexpr std::int64_t least_blocks = 128, blocks_of_rank = 16;
  const std::int64_t step = std::max(least_blocks, blocks_of_rank * communicator.size());
  std::vector<Blocks> orders;
  for (const Scorer& member : members) orders.emplace_back(member.input.split);
  for (const Blocks& order : orders) {
    if (order.samples() == orders[0].samples()) continue;
    throw Error(fmt::format("members see {} and {} images", orders[0].samples(), order.samples()), "ensemble",
                "images that one of the packings could not read: name a packed data set that all members can use");
  }
  for (std::int64_t begin = 0; begin < orders[0].count(); begin += step) {
    ScoredWindow window;
    for (std::size_t m = 0; m < members.size(); ++m) {
      const bool wanted = all || how.weights[m] > 0;
      window.members.push_back(wanted ? blocks_of(members[m], orders[m], {begin, begin + step}, communicator)
                                      : std::vector<ScoredBlock>());
    }
    window.combined = combined_blocks(how, window.members);
    take(std::move(window));
  }
}

}  // namespace lockstep
