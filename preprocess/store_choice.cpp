#include "preprocess/store_choice.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/stopwatch.hpp"
#include "preprocess/jpeg_encoder.hpp"
#include "preprocess/resize.hpp"
#include "preprocess/shard_job.hpp"

namespace lockstep::preprocess {
namespace {

constexpr double reading_rate = 500e6;  // bytes a second, assumed

std::vector<std::int64_t> sampled_ids(const Plan& plan) {
  constexpr std::size_t most = 64;
  std::vector<std::int64_t> all;
  for (const ShardPlan& shard : plan.shards) all.insert(all.end(), shard.candidates.begin(), shard.candidates.end());
  const std::size_t count = std::min(most, all.size());
  std::vector<std::int64_t> sample;
  for (std::size_t i = 0; i < count; ++i) sample.push_back(all[i * all.size() / count]);
  return sample;
}

double seconds_to_decode(const std::vector<std::uint8_t>& file, int channels) {
  const Stopwatch time;
  decode_image(file, {channels, 0, usual_most_pixels, {}});
  return time.seconds();
}

std::string gib(double bytes) { return fmt::format("{:.1f} GiB", bytes / 0x1.0p30); }

}  // namespace

StoreCosts measure_store_costs(const Source& source, const Plan& plan, const PackSettings& settings) {
  ShardFormat format = plan.format;
  format.store = Store::jpeg;
  const PictureRequest request = picture_request(format, settings.most_pixels);
  StoreCosts costs{plan.images(), static_cast<double>(plan.format.shape.bytes()), 0, 0};
  std::vector<double> times;
  double bytes = 0;
  for (const std::int64_t id : sampled_ids(plan)) {
    try {
      Picture picture = source.picture(id, plan.listing.candidates[static_cast<std::size_t>(id)], request);
      if (picture.jpeg.empty())
        picture.jpeg = encode_jpeg(fit_picture(picture.pixels, request.size, settings.fit), settings.quality);
      bytes += static_cast<double>(picture.jpeg.size());
      times.push_back(seconds_to_decode(picture.jpeg, settings.channels));
    } catch (const Refusal&) {
      continue;  // packing itself will say so
    }
  }
  if (times.empty()) {
    throw Error("none of the sampled images can be decoded", "--store auto",
                "check the images, or say --store raw or --store jpeg to have all reasons listed");
  }
  costs.jpeg_bytes = bytes / static_cast<double>(times.size());
  std::ranges::nth_element(times, times.begin() + std::ssize(times) / 2);
  costs.decode_seconds = times[times.size() / 2];  // the median: others may use the machine
  return costs;
}

StoreMeans store_means(const std::filesystem::path& output, std::int64_t cores) {
  const double memory = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
  return {static_cast<double>(free_bytes(output)), memory, cores};
}

StoreChoice choose_store(const StoreCosts& costs, const StoreMeans& means) {
  const double all_raw = static_cast<double>(costs.images) * costs.raw_bytes;
  const std::string figures =
      fmt::format("an image takes {:.0f} bytes raw, {:.0f} as JPEG with {:.2f} ms to decode; all {} raw",
                  costs.raw_bytes, costs.jpeg_bytes, 1e3 * costs.decode_seconds, gib(all_raw));
  if (all_raw > means.free_disk_bytes) {
    return {Store::jpeg, fmt::format("--store auto: jpeg, since raw images do not fit into the {} that are free ({})",
                                     gib(means.free_disk_bytes), figures)};
  }
  if (all_raw <= means.memory_bytes / 2) {
    return {Store::raw,
            fmt::format("--store auto: raw, since all fit into half of this machine's memory of {}, where reading is "
                        "cheaper than decoding ({})",
                        gib(means.memory_bytes), figures)};
  }
  const double raw = costs.raw_bytes / reading_rate;
  const double jpeg = costs.jpeg_bytes / reading_rate +
                      costs.decode_seconds / static_cast<double>(std::max<std::int64_t>(1, means.cores));
  return {raw <= jpeg ? Store::raw : Store::jpeg,
          fmt::format("--store auto: {}, since at 500 MB/s an image takes {:.2f} ms to read raw, {:.2f} ms to read and "
                      "decode as JPEG on {} cores ({})",
                      raw <= jpeg ? "raw" : "jpeg", 1e3 * raw, 1e3 * jpeg, means.cores, figures)};
}

}  // namespace lockstep::preprocess
