// Which kept predictions are of the same samples as ours, so that two classifiers can be compared one sample after the
// other.
//
// Samples are the same by the data set's digest, their ids and their labels, whatever the splits are called: the test
// split of one run may have been judged as another data set's by the other. Pure. Errors: other classes; nothing kept
// of these samples; several kinds of it (other weights, mirrored views) of which none has our name.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "lockstep/evaluate/kept_predictions.hpp"

namespace lockstep {

/// The first class that differs, as a clause; empty: none.
std::string difference_of_classes(const std::vector<std::string>& ours, const std::vector<std::string>& others);

/// Of `ours` only split, data_digest, ids and labels are looked at. `file`: where `others` are kept, for the errors.
const SplitPredictions& counterpart(const SplitPredictions& ours, const std::vector<std::string>& our_classes,
                                    const KeptPredictions& others, const std::filesystem::path& file);

}  // namespace lockstep
