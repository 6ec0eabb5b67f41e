// Procedural pictures of ten classes, for trying and testing without any data: one object on a ground.
//
// What makes the class is form and texture alone. Position, size, rotation, both colours (which of them is the lighter
// one too), the slope of the ground's brightness and the noise are drawn at random, so that no single pixel says
// anything: a linear model on the pixels stays far below 60 %, a small convolutional network passes 85 %. Picture `id`
// is a pure function of (seed, id, classes, size): class id % classes. Thread-safe.
#pragma once
#include "preprocess/source.hpp"

namespace lockstep::preprocess {

class GeneratedSource : public Source {
 public:
  /// `classes`: 2 to 10.
  GeneratedSource(std::int64_t images, std::int64_t classes, std::uint64_t seed);

  Listing list() override;
  Picture picture(std::int64_t id, const Candidate& candidate, const PictureRequest& request) const override;
  std::filesystem::path file_of(std::int64_t, const Candidate&) const override { return {}; }

 private:
  std::int64_t images_, classes_;
  std::uint64_t seed_;
};

}  // namespace lockstep::preprocess
