// What one or several networks say of the samples of a split, in the order of their ids, for whoever writes it down.
//
// Every rank calls it together; rank 0 gets the result, window after window, so that memory does not grow with the
// number of samples but for their order (8 bytes each): of a window, of 4096 samples or 512 a rank, rank 0 holds
// 8 · classes bytes a sample. The same bits for any number of ranks and threads. Errors: those of scoring.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "lockstep/evaluate/ensemble.hpp"

namespace lockstep {

struct PredictedSamples {
  std::vector<std::int64_t> ids;      ///< rising, also from one window to the next
  std::vector<std::int64_t> winners;  ///< [sample] the predicted class
  std::vector<double> probabilities;  ///< [sample · classes]

  std::span<const double> row(std::size_t sample) const;
};

/// `take` is called on rank 0 alone.
void predict_samples(const std::vector<Scorer>& members, const Combination& how, std::int64_t classes,
                     Communicator& communicator, const std::function<void(const PredictedSamples&)>& take);

}  // namespace lockstep
