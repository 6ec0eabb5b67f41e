// How long an image takes from its stored bytes to its slot of the batch, on one core. Run by hand:
//   build/bin/data_benchmark --benchmark_repetitions=5 --benchmark_report_aggregates_only
#include <benchmark/benchmark.h>

#include "lockstep/core/draws.hpp"
#include "lockstep/data/image_transform.hpp"

namespace lockstep {
namespace {

constexpr ImageShape stored{256, 256, 3};
constexpr std::int64_t side = 224;
constexpr std::size_t batch = 32;

/// Soft forms with some noise, as photographs have.
std::vector<std::uint8_t> picture(std::uint64_t seed) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(stored.bytes()));
  Draws draws(seed, Purpose::generated_images, 0);
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<std::uint8_t>((i / 3 % 256 + i / 768) / 3 + draws.below(40));
  return pixels;
}

AugmentationConfig usual() {
  AugmentationConfig config;
  config.on = true;
  config.crop_scale[0] = 0.08;
  config.crop_ratio[0] = 0.75;
  config.crop_ratio[1] = 4.0 / 3;
  config.flip = 0.5;
  return config;
}

/// Transforms of images in turn into a batch's slots, so that caches see what they see in a run.
template <typename Value = float>
void transform(benchmark::State& state, const AugmentationConfig& config) {
  const ImageTransform to_slot(stored, side, {{124, 116, 104}, {58, 57, 57}});
  std::vector<std::vector<std::uint8_t>> pictures;
  for (std::uint64_t i = 0; i < batch; ++i) pictures.push_back(picture(i));
  const auto slot_size = static_cast<std::size_t>(side * side * stored.channels);
  std::vector<Value> slots(batch * slot_size);
  ImageTransform::Scratch scratch;
  std::int64_t id = 0;
  for (auto _ : state) {
    const auto at = static_cast<std::size_t>(id) % batch;
    const Augmentation a = draw_augmentation(config, 1, 0, id++, stored.height, stored.width);
    const PixelView view{pictures[at].data(), {0, 0, stored.height, stored.width}};
    to_slot.apply(view, a, std::span(slots).subspan(at * slot_size, slot_size), scratch);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
}

void crop_resize_flip_normalise(benchmark::State& state) { transform(state, usual()); }
BENCHMARK(crop_resize_flip_normalise)->Unit(benchmark::kMicrosecond);

void crop_resize_flip_to_bytes(benchmark::State& state) { transform<std::uint8_t>(state, usual()); }
BENCHMARK(crop_resize_flip_to_bytes)->Unit(benchmark::kMicrosecond);

void and_rotate(benchmark::State& state) {
  AugmentationConfig config = usual();
  config.rotation = 15;
  transform(state, config);
}
BENCHMARK(and_rotate)->Unit(benchmark::kMicrosecond);

void and_colour_jitter(benchmark::State& state) {
  AugmentationConfig config = usual();
  config.colour_jitter = 0.4;
  transform(state, config);
}
BENCHMARK(and_colour_jitter)->Unit(benchmark::kMicrosecond);

void and_randaugment(benchmark::State& state) {
  AugmentationConfig config = usual();
  config.randaugment_ops = 2;
  config.randaugment_magnitude = 9;
  transform(state, config);
}
BENCHMARK(and_randaugment)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace lockstep

BENCHMARK_MAIN();
