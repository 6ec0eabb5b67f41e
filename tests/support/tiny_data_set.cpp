#include "support/tiny_data_set.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "lockstep/core/draws.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/data/shard.hpp"
#include "support/jpeg_files.hpp"

namespace lockstep::testing {
namespace {

std::vector<std::uint8_t> picture(const TinyDataSet& spec, std::int64_t id, std::int64_t label) {
  std::vector<std::uint8_t> bytes;
  Draws draws(7, Purpose::generated_images, static_cast<std::uint64_t>(id));
  for (std::int64_t y = 0; y < spec.side; ++y) {
    for (std::int64_t x = 0; x < spec.side; ++x) {
      for (std::int64_t c = 0; c < spec.channels; ++c) {
        const bool bright = label == 0 ? x % 2 == 0 : label == 1 ? y % 2 == 0 : (x + y) % 2 == 0;
        bytes.push_back(
            static_cast<std::uint8_t>(draws.below(120) + (bright ? 110 : 20) + static_cast<std::uint64_t>(c)));
      }
    }
  }
  return bytes;
}

std::vector<std::uint8_t> stored(const TinyDataSet& spec, std::int64_t id, std::int64_t label) {
  const std::vector<std::uint8_t> pixels = picture(spec, id, label);
  return spec.jpeg ? encoded(pixels, {spec.side, spec.side, spec.channels}) : pixels;
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "lockstep-test-XXXXXX").string();
  path_ = ::mkdtemp(name.data());
}
TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Manifest write_tiny_data_set(const std::filesystem::path& folder, const TinyDataSet& spec) {
  make_folder(folder / "shards");
  Manifest manifest;
  for (std::int64_t c = 0; c < spec.classes; ++c) manifest.classes.push_back(fmt::format("class-{}", c));
  manifest.shape = {spec.side, spec.side, spec.channels};
  manifest.mean.assign(static_cast<std::size_t>(spec.channels), 125.0);
  manifest.std.assign(static_cast<std::size_t>(spec.channels), 56.0);
  manifest.weighted = spec.weighted;
  manifest.store = spec.jpeg ? Store::jpeg : Store::raw;
  std::int64_t id = 0;
  for (const auto& [name, samples] :
       {std::pair{"train", spec.train}, std::pair{"validation", spec.validation}, std::pair{"test", spec.test}}) {
    SplitEntry split{name, samples, std::vector<std::int64_t>(static_cast<std::size_t>(spec.classes)), {}};
    for (std::int64_t first = 0; first < samples; first += spec.per_shard) {
      const std::int64_t count = std::min(spec.per_shard, samples - first);
      const std::string file = fmt::format("shards/{}-{:05}.h5", name, split.shards.size());
      ShardIndex index;
      std::vector<std::vector<std::uint8_t>> images;
      for (std::int64_t i = 0; i < count; ++i, ++id) {
        const std::int64_t label = id % spec.classes;
        ++split.class_counts[static_cast<std::size_t>(label)];
        images.push_back(stored(spec, id, label));
        index.add(static_cast<std::int32_t>(label), id);
        if (spec.weighted) index.weights.push_back(static_cast<float>(id % 4));
        if (spec.jpeg) index.ends.push_back(index.ends.back() + std::ssize(images.back()));
      }
      ShardWriter writer(folder / file, index, manifest.shard_format());
      for (const auto& image : images) writer.add(image);
      ShardEntry entry = writer.finish();
      entry.file = file;
      split.shards.push_back(entry);
    }
    manifest.splits.push_back(split);
  }
  manifest.status_counts["ok"] = id;
  manifest.save(folder);
  return manifest;
}

}  // namespace lockstep::testing
