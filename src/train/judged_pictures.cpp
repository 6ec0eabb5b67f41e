#include "train/judged_pictures.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>

#include "lockstep/record/captioned_picture.hpp"

namespace lockstep {
namespace {

constexpr Colour green{120, 220, 120}, red{255, 120, 110};

/// What the network saw: [channels, height, width] of the batch, as levels.
Picture unnormalised(const at::Tensor& image, const ChannelScale& scale) {
  Picture picture{image.size(1), image.size(2), image.size(0), {}};
  const auto values = image.accessor<float, 3>();
  for (std::int64_t y = 0; y < picture.height; ++y) {
    for (std::int64_t x = 0; x < picture.width; ++x) {
      for (std::int64_t c = 0; c < picture.channels; ++c) {
        const auto channel = static_cast<std::size_t>(c);
        const float level = values[c][y][x] * scale.std[channel] + scale.mean[channel];
        picture.pixels.push_back(static_cast<std::uint8_t>(std::clamp(std::round(level), 0.0f, 255.0f)));
      }
    }
  }
  return picture;
}

/// Predictions of `ids` with the places of their samples in the split.
struct Shown {
  Prediction prediction;
  std::int64_t position;
};

std::vector<Shown> find(const std::vector<std::int64_t>& ids, const std::vector<Prediction>& predictions,
                        const DataSplit& split) {
  const std::vector<std::int64_t> by_id = split.positions_by_id();
  std::vector<Shown> found;
  for (const std::int64_t id : ids) {
    const auto prediction = std::ranges::lower_bound(predictions, id, {}, &Prediction::id);
    const auto place =
        std::ranges::lower_bound(by_id, id, {}, [&](std::int64_t position) { return split.id(position); });
    if (prediction == predictions.end() || prediction->id != id || place == by_id.end()) continue;
    found.push_back({*prediction, *place});
  }
  return found;
}

/// Images [n, channels, side, side] as they are judged.
at::Tensor read_images(const std::vector<Shown>& shown, const JudgedImageSource& source) {
  BatchRequest request;
  for (const Shown& one : shown) request.positions.push_back(one.position);
  const EvaluationSettings settings{source.resize};
  const EvaluationInput input = images_of(source.split, source.transform, settings, at::kCPU);
  bool given = false;
  const auto batches = input.open([&]() -> std::optional<BatchRequest> {
    if (std::exchange(given, true)) return std::nullopt;
    return request;
  });
  return batches->next()->images.clone();
}

std::string name_in(const std::vector<std::string>& classes, std::int64_t label) {
  return classes.at(static_cast<std::size_t>(label));
}

}  // namespace

std::vector<std::int64_t> choose_pictures(const std::vector<Prediction>& predictions, std::int64_t count) {
  std::vector<const Prediction*> order;
  for (const Prediction& one : predictions) order.push_back(&one);
  const auto wrong_first = [](const Prediction* a, const Prediction* b) {
    const bool a_wrong = a->predicted != a->label, b_wrong = b->predicted != b->label;
    if (a_wrong != b_wrong) return a_wrong;
    return a->loss != b->loss ? a->loss > b->loss : a->id < b->id;
  };
  std::ranges::sort(order, wrong_first);
  // Of the wrong ones, then of the right ones, the first of each class goes before the others.
  std::set<std::int64_t> labels;
  const auto rank = [&](const Prediction* one) {
    const int group = one->predicted != one->label ? 0 : 2;
    return group + (labels.insert(one->label).second ? 0 : 1);
  };
  std::array<std::vector<std::int64_t>, 4> ranked;
  for (const Prediction* one : order) ranked[static_cast<std::size_t>(rank(one))].push_back(one->id);
  std::vector<std::int64_t> ids;
  for (const auto& group : ranked) ids.insert(ids.end(), group.begin(), group.end());
  ids.resize(std::min(ids.size(), static_cast<std::size_t>(count)));
  return ids;
}

std::string ids_text(const std::vector<std::int64_t>& ids) { return fmt::format("{}", fmt::join(ids, ",")); }

std::vector<std::int64_t> ids_of(const std::string& text) {
  std::vector<std::int64_t> ids;
  const char* end = text.data() + text.size();
  for (const char* at = text.data(); at < end; ++at) {
    std::int64_t id = 0;
    const auto [next, fault] = std::from_chars(at, end, id);
    if (fault != std::errc()) return {};
    ids.push_back(id);
    at = next;
  }
  return ids;
}

Summary pictures_of(const std::vector<std::int64_t>& ids, const std::vector<Prediction>& predictions,
                    const std::vector<std::string>& classes, const JudgedImageSource& source) {
  Summary summary;
  const std::vector<Shown> shown = find(ids, predictions, source.split);
  if (shown.empty()) return summary;
  const at::Tensor images = read_images(shown, source);
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const Prediction& said = shown[i].prediction;
    const std::string label = name_in(classes, said.label);
    const std::vector<std::string> lines{fmt::format("is {}", label),
                                         fmt::format("said {}", name_in(classes, said.predicted)),
                                         fmt::format("p of its class {:.0f} %", 100 * std::exp(-said.loss))};
    const Picture picture = unnormalised(images[static_cast<std::int64_t>(i)], source.transform.scale());
    summary.picture(fmt::format("judged images/{} {}", label, said.id),
                    with_caption(picture, lines, said.predicted == said.label ? green : red));
  }
  return summary;
}

}  // namespace lockstep
