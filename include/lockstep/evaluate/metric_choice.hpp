// What the metric that decides between epochs asks of the split that judges them, checked before the first step.
//
// Pure functions of the manifest, the same on every rank. Errors: labels that are not there; a metric that a split of
// one class alone does not define.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/config/run_config.hpp"
#include "lockstep/data/manifest.hpp"
#include "lockstep/evaluate/scoring.hpp"

namespace lockstep {

/// Whether a judgement of epochs must gather scores for it: only what decides is computed.
KeepScores scores_for(Metric metric);

/// Errors: none of the splits' samples has a label. `option`: the one that named them.
void require_labels(const Manifest& manifest, const std::vector<std::string>& splits, const std::string& option);

/// What a person should know of a metric on these splits, as a sentence, such as classes without a sample; empty:
/// nothing.
std::string check_metric(Metric metric, const Manifest& manifest, const std::vector<std::string>& splits);

}  // namespace lockstep
