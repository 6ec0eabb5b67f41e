#include "report/paired_gain.hpp"

#include <cmath>

#include "lockstep/core/error.hpp"
#include "lockstep/evaluate/counterpart.hpp"
#include "lockstep/evaluate/significance.hpp"

namespace lockstep {
namespace {

/// What the run's best weights said of the split that judged it; nothing if that is not kept, or other weights made it.
const SplitPredictions* of_best_weights(const KeptPredictions& kept, const RunOverview& run) {
  const SplitPredictions* split = kept.find(run.split);
  return split != nullptr && split->weights == "best" && split->data_digest == run.data_digest ? split : nullptr;
}

/// The weights may have become better since the predictions were kept, or images were shown to them otherwise.
bool is_of(double accuracy, const RunOverview& run) { return run.best && std::abs(accuracy - *run.best) < 1e-9; }

}  // namespace

bool add_paired_test(Gain& gain, const RunOverview& child, const RunOverview& parent) {
  const std::filesystem::path ours_file = RunFolder::at(child.folder).predictions();
  const std::filesystem::path theirs_file = RunFolder::at(parent.folder).predictions();
  if (!std::filesystem::exists(ours_file) || !std::filesystem::exists(theirs_file)) return false;
  try {
    const KeptPredictions ours = read_predictions(ours_file), theirs = read_predictions(theirs_file);
    const SplitPredictions *mine = of_best_weights(ours, child), *other = of_best_weights(theirs, parent);
    if (mine == nullptr || other == nullptr) return false;
    if (&counterpart(*mine, ours.classes, theirs, theirs_file) != other) return false;
    const PairedComparison found = compare_paired(mine->judged(), other->judged(), BootstrapSettings{});
    if (!is_of(found.accuracy, child) || !is_of(found.other_accuracy, parent)) return false;
    gain.p = found.test.p;
    gain.significant = found.test.p < 0.05;
    gain.samples = found.samples;
    if (found.difference) {
      gain.low = found.difference->low;
      gain.high = found.difference->high;
    }
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace lockstep
