// What one rank's statistics count for in the running statistics of batch norm, on every device.
#pragma once
#include <algorithm>
#include <cmath>

#include "lockstep/config/run_config.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/model/batch_context.hpp"

namespace lockstep {

/// Weight of one of this rank's groups, such that the mean over the ranks of what each adds to its running statistics
/// is what one rank with the whole batch would add.
inline double group_share(const BatchNormStats& stats, const BatchContext& context) {
  const auto mine = static_cast<double>(context.ids.size());
  const auto ranks = static_cast<double>(context.ranks), all = static_cast<double>(context.global_samples);
  switch (stats.over) {
    case BatchNormStats::Over::global_batch:
      return 1.0;
    case BatchNormStats::Over::rank:
      return ranks * mine / all;
    case BatchNormStats::Over::group:
      return ranks / std::max(1.0, std::floor(all / static_cast<double>(stats.group)));
  }
  return 1.0;
}

inline Error single_value_error() {
  return Error("batch norm over a single value: it has no variance", "training",
               "use a --batch of 2 or more, or --no-batch-norm", Exit::usage);
}

}  // namespace lockstep
