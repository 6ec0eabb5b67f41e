// A few judged images with what the network said of them, to be looked at beside the curves: the same ones each time.
//
// Chosen at the first judgement: wrongly named ones before all others, of different classes as long as there are any,
// those furthest from their class first. Rank 0 alone holds and reads them. Shown is what the network saw, its normalisation
// undone and rounded to whole levels. Memory: their pixels, read again each time, and 8 bytes an image between.
// Internal to src/train. Errors: those of reading the data set.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "lockstep/data/data_set.hpp"
#include "lockstep/data/image_transform.hpp"
#include "lockstep/evaluate/evaluator.hpp"
#include "lockstep/record/summary.hpp"

namespace lockstep {

/// Where judged images come from.
struct JudgedImageSource {
  const DataSplit& split;
  const ImageTransform& transform;
  std::int64_t resize;  ///< as EvaluationSettings has it
};

/// Ids of at most `count` samples, as above. `predictions`: in the order of ids, as an Evaluation has them.
std::vector<std::int64_t> choose_pictures(const std::vector<Prediction>& predictions, std::int64_t count);

/// "3,17": ids as a line of the log keeps them, and back; what is no such list has none.
std::string ids_text(const std::vector<std::int64_t>& ids);
std::vector<std::int64_t> ids_of(const std::string& text);

/// The pictures of `ids`, each under the tag "judged images/CLASS ID", with its class and what was predicted below. Ids
/// that were not judged are left out.
Summary pictures_of(const std::vector<std::int64_t>& ids, const std::vector<Prediction>& predictions,
                    const std::vector<std::string>& classes, const JudgedImageSource& source);

}  // namespace lockstep
