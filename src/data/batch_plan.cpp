#include "lockstep/data/batch_plan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

/// Large enough that a disk or a parallel file system reads it at full speed.
constexpr std::int64_t block_bytes = std::int64_t{4} << 20;
/// A window of few blocks would hardly be a shuffle.
constexpr std::int64_t blocks_of_window = 16;

std::int64_t block_samples(const DataSplit& split, std::int64_t window) {
  const Range all{0, split.samples()};
  std::uint64_t bytes = 0;
  for (const Range& block : split.blocks(all.size())) bytes += split.block_bytes(block).bytes;
  const std::int64_t mean = std::max<std::int64_t>(1, static_cast<std::int64_t>(bytes) / all.size());
  return std::clamp<std::int64_t>(block_bytes / mean, 1, std::max<std::int64_t>(1, window / blocks_of_window));
}

std::vector<std::int32_t> labels_of(const DataSplit& split) {
  std::vector<std::int32_t> labels;
  for (std::int64_t position = 0; position < split.samples(); ++position) {
    const std::int64_t label = split.label(position);
    if (label < 0) {
      throw usage_error(fmt::format("sample {} of split '{}' has no label", split.id(position), split.name()),
                        "--sampling balanced", "balance splits whose samples are all labelled");
    }
    labels.push_back(static_cast<std::int32_t>(label));
  }
  return labels;
}

std::vector<double> weights_of(const DataSplit& split) {
  std::vector<double> weights;
  bool equal = true;
  for (std::int64_t position = 0; position < split.samples(); ++position) {
    weights.push_back(split.weight(position));
    equal = equal && weights.back() == weights.front();
  }
  if (equal) {
    throw usage_error(fmt::format("the samples of split '{}' have no weights that differ", split.name()),
                      "--sampling weighted", "pack them with a column of weights (--csv-weight), or sample uniformly");
  }
  return weights;
}

}  // namespace

BatchPlan::BatchPlan(const DataSplit& split, const LoaderConfig& config, std::int64_t batch, std::int64_t granularity,
                     std::uint64_t seed)
    : split_(split),
      sampling_(config.sampling),
      window_(config.shuffle_window),
      mixes_(config.mix.on()),
      seed_(seed),
      steps_(split.samples(), batch, granularity) {
  if (window_ > 0) blocks_ = split.blocks(block_samples(split, window_));
  if (sampling_ == Sampling::balanced) {
    labels_ = labels_of(split);
    weights_ = balancing_weights(labels_);
  }
  if (sampling_ == Sampling::weighted) weights_ = weights_of(split);
}

EpochOrder BatchPlan::order(std::int64_t epoch) const {
  if (sampling_ != Sampling::uniform) return weighted_order(weights_, labels_, seed_, epoch);
  if (window_ > 0) return window_order(blocks_, window_, steps_, seed_, epoch);
  return full_order(split_.samples(), seed_, epoch);
}

BatchRequest BatchPlan::request(const EpochOrder& order, std::int64_t epoch, std::int64_t step, int rank,
                                int ranks) const {
  const Range whole = steps_.step(step), part = steps_.rank_part(step, rank, ranks);
  BatchRequest request;
  request.epoch = epoch;
  request.step = step;
  request.positions.assign(order.positions.begin() + part.begin, order.positions.begin() + part.end);
  if (!order.copies.empty()) request.copies.assign(order.copies.begin() + part.begin, order.copies.begin() + part.end);
  request.mixed = mixes_;
  if (!mixes_ || part.size() == 0) return request;
  const auto use = [&](std::int64_t place) {
    return SampleUse{order.positions[static_cast<std::size_t>(place)], order.copy(place)};
  };
  if ((part.begin - whole.begin) % 2 == 1) request.before = use(part.begin - 1);
  if ((part.end - whole.begin) % 2 == 1 && part.end < whole.end) request.after = use(part.end);
  return request;
}

std::vector<std::int64_t> BatchPlan::positions_read(const EpochOrder& order, std::int64_t step, int rank,
                                                    int ranks) const {
  std::vector<std::int64_t> positions;
  for (; step < steps_.steps(); ++step) {
    const BatchRequest one = request(order, 0, step, rank, ranks);
    if (one.before) positions.push_back(one.before->position);
    positions.insert(positions.end(), one.positions.begin(), one.positions.end());
    if (one.after) positions.push_back(one.after->position);
  }
  return positions;
}

std::size_t BatchPlan::bytes_ahead(int ranks) const {
  std::uint64_t bytes = 0;
  for (const Range& block : blocks_) bytes += split_.block_bytes(block).bytes;
  const auto window = static_cast<std::uint64_t>(std::min(window_, split_.samples()));
  const std::uint64_t of_window = bytes / static_cast<std::uint64_t>(split_.samples()) * window;
  return static_cast<std::size_t>(2 * of_window / static_cast<std::uint64_t>(ranks)) + 2 * block_bytes;
}

}  // namespace lockstep
