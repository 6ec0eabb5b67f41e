#include "lockstep/data/epoch_order.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "lockstep/core/draws.hpp"
#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

void shuffle(std::span<std::int64_t> items, Draws& draws) {
  for (std::size_t left = items.size(); left > 1; --left) std::swap(items[left - 1], items[draws.below(left)]);
}

std::vector<std::int64_t> counted(std::size_t size) {
  std::vector<std::int64_t> numbers(size);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

Draws draws_of(std::uint64_t seed, std::int64_t epoch) {
  return Draws(seed, Purpose::shuffle, static_cast<std::uint64_t>(epoch));
}

/// Ends of the windows in a sequence of blocks of these sizes.
std::vector<std::int64_t> window_ends(std::span<const Range> blocks, const std::vector<std::int64_t>& sequence,
                                      std::int64_t window) {
  std::vector<std::int64_t> ends;
  std::int64_t end = 0, begin = 0;
  for (const std::int64_t block : sequence) {
    end += blocks[static_cast<std::size_t>(block)].size();
    if (end - begin < window) continue;
    ends.push_back(end);
    begin = end;
  }
  if (begin != end) ends.push_back(end);
  return ends;
}

/// Places of a step that together span about eight blocks.
std::int64_t shuffled_run(std::span<const Range> blocks, std::int64_t window, const StepPlan& plan) {
  constexpr std::int64_t spanned = 8;
  std::int64_t longest = 1;
  for (const Range& block : blocks) longest = std::max(longest, block.size());
  const std::int64_t batch = plan.step(0).size();
  return std::clamp<std::int64_t>((spanned * longest * batch + window - 1) / window, 1, batch);
}

}  // namespace

EpochOrder full_order(std::int64_t samples, std::uint64_t seed, std::int64_t epoch) {
  EpochOrder order{counted(static_cast<std::size_t>(samples)), {}};
  Draws draws = draws_of(seed, epoch);
  shuffle(order.positions, draws);
  return order;
}

EpochOrder window_order(std::span<const Range> blocks, std::int64_t window, const StepPlan& plan, std::uint64_t seed,
                        std::int64_t epoch) {
  Draws draws = draws_of(seed, epoch);
  std::vector<std::int64_t> sequence = counted(blocks.size());
  shuffle(sequence, draws);
  std::vector<std::int64_t> stream;  // positions, block after block
  for (const std::int64_t block : sequence) {
    const Range range = blocks[static_cast<std::size_t>(block)];
    for (std::int64_t position = range.begin; position < range.end; ++position) stream.push_back(position);
  }
  std::vector<std::int64_t> places = counted(stream.size());  // into the stream
  std::int64_t begin = 0;
  for (const std::int64_t end : window_ends(blocks, sequence, window)) {
    shuffle(std::span(places).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)), draws);
    begin = end;
  }
  const std::int64_t run = shuffled_run(blocks, window, plan);
  for (std::int64_t step = 0; step < plan.steps(); ++step) {
    const Range range = plan.step(step);
    const std::span of_step(places.begin() + range.begin, places.begin() + range.end);
    std::ranges::sort(of_step);
    for (std::size_t at = 0; at < of_step.size(); at += static_cast<std::size_t>(run))
      shuffle(of_step.subspan(at, std::min(of_step.size() - at, static_cast<std::size_t>(run))), draws);
  }
  EpochOrder order;
  order.positions.reserve(stream.size());
  for (const std::int64_t place : places) order.positions.push_back(stream[static_cast<std::size_t>(place)]);
  return order;
}

EpochOrder weighted_order(std::span<const double> weights, std::span<const std::int32_t> strata, std::uint64_t seed,
                          std::int64_t epoch) {
  Draws draws = draws_of(seed, epoch);
  // Shuffled first: systematic resampling takes every k-th of a list, which must not be the same neighbours for ever.
  std::vector<std::int64_t> list = counted(weights.size());
  shuffle(list, draws);
  if (!strata.empty()) {
    std::stable_sort(list.begin(), list.end(), [&](std::int64_t a, std::int64_t b) {
      return strata[static_cast<std::size_t>(a)] < strata[static_cast<std::size_t>(b)];
    });
  }
  double total = 0;
  for (const std::int64_t position : list) total += weights[static_cast<std::size_t>(position)];
  if (!(total > 0) || !std::isfinite(total)) {
    throw Error("the weights of the samples add up to " + std::to_string(total), "--sampling weighted",
                "give at least one sample a weight above 0, and none that is infinite");
  }
  const auto places = static_cast<double>(weights.size());
  const double offset = draws.uniform();
  std::vector<std::int64_t> drawn;
  std::vector<std::int32_t> copies;
  double passed = 0;
  std::int64_t taken = 0;
  for (const std::int64_t position : list) {
    // The same additions in the same order as for the total: after the last weight they are equal, to the last bit.
    passed += weights[static_cast<std::size_t>(position)];
    const auto until = static_cast<std::int64_t>(std::floor(places * (passed / total) + offset));
    for (std::int32_t copy = 0; taken < until; ++taken) {
      drawn.push_back(position);
      copies.push_back(copy++);
    }
  }
  std::vector<std::int64_t> places_of = counted(drawn.size());
  shuffle(places_of, draws);
  EpochOrder order;
  for (const std::int64_t place : places_of) {
    order.positions.push_back(drawn[static_cast<std::size_t>(place)]);
    order.copies.push_back(copies[static_cast<std::size_t>(place)]);
  }
  return order;
}

std::vector<double> balancing_weights(std::span<const std::int32_t> labels) {
  std::vector<double> counts;
  for (const std::int32_t label : labels) {
    if (static_cast<std::size_t>(label) >= counts.size()) counts.resize(static_cast<std::size_t>(label) + 1);
    ++counts[static_cast<std::size_t>(label)];
  }
  std::vector<double> weights;
  weights.reserve(labels.size());
  for (const std::int32_t label : labels) weights.push_back(1 / counts[static_cast<std::size_t>(label)]);
  return weights;
}

}  // namespace lockstep
