#include "commands/shown_images.hpp"

#include <fmt/format.h>

#include "lockstep/core/error.hpp"

namespace lockstep {

void ShownImages::add(const Member& member, std::shared_ptr<const OpenSplit> images) {
  const Manifest& manifest = images->manifest;
  if (manifest.shape.channels != member.packed.channels) {
    throw Error(fmt::format("the images have {} channel{}, {} was trained on {}", manifest.shape.channels,
                            manifest.shape.channels == 1 ? "" : "s", member.name, member.packed.channels),
                images->folder.string(), fmt::format("pack them with --channels {}", member.packed.channels));
  }
  splits_.push_back(images);
  transforms_.emplace_back(manifest.shape, member.side, member.scale);
  const EvaluationSettings settings{member.eval_resize, threads_, KeepScores::on_first_rank, flips_};
  scorers_.push_back(
      {*member.model, images_of(images->split, transforms_.back(), settings, device_of(*member.model)), settings});
}

TestTimeFlips flips_of(const Options& options) {
  const std::string flips = options.text("test-time-flips");
  if (flips == "none") return TestTimeFlips::none;
  return flips == "horizontal" ? TestTimeFlips::horizontal : TestTimeFlips::both;
}

}  // namespace lockstep
