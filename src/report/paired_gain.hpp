// Whether a gain in accuracy is more than chance, by the predictions that both runs have kept of the same samples.
//
// Internal to src/report. Reads both files; what cannot be read or does not fit is as if it were not there.
#pragma once
#include "lockstep/report/run_tree.hpp"

namespace lockstep {

/// Puts McNemar's p-value and the interval of the difference into `gain`. False: nothing was put there, since the
/// best weights' predictions of the split that judges are not kept by both.
bool add_paired_test(Gain& gain, const RunOverview& child, const RunOverview& parent);

}  // namespace lockstep
