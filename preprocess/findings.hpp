// The kinds of things an audit finds: their names, in which --fail-on and the manifest speak of them. Pure functions.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/config/options.hpp"

namespace lockstep::preprocess {

enum class Finding {
  corrupt,
  duplicates,
  near_duplicates,
  leakage,
  near_leakage,
  conflicting_labels,
  near_conflicts,
  blank,
  empty_classes
};

/// [Finding]
inline constexpr std::array<std::string_view, 9> finding_names = {
    "corrupt",        "duplicates", "near-duplicates", "leakage", "near-leakage", "conflicting-labels",
    "near-conflicts", "blank",      "empty-classes"};

/// What --fail-on names; none if it was not said.
std::vector<Finding> wished_findings(const Options& options);

/// An Error (exit code 1) that names those of `unwanted` of which `counts` has some. `where`: the data set.
void refuse_findings(const std::map<std::string, std::int64_t>& counts, const std::vector<Finding>& unwanted,
                     const std::string& where, const std::string& hint);

}  // namespace lockstep::preprocess
