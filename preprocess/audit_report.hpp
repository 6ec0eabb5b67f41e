// An audit for people, as a table in plain text, and for programs, as JSON. Pure functions.
//
// The JSON: {"data_set", "images", "left_out", "findings": {name: count}, "refused": [{"reason", "images"}],
// "groups": [{"identical", "bits", "across_splits", "labels_differ" (none, alike or identical), "images"}], "constant",
// "blank", "upscaled": [images], "splits": [{"name", "counts": {class: n}, "unlabelled", "imbalance",
// "empty_classes"}], "sizes": {"width", "height", "aspect"}, "contrast", "channel_means", "mean", "std" (the
// manifest's)}. An image is {"id", "path", "split", "label" (a class, null where unknown), "content" (16 hexadecimal
// digits)}. Bytes of paths that are not UTF-8 are replaced.
#pragma once
#include <string>
#include <vector>

#include "preprocess/audit.hpp"

namespace lockstep::preprocess {

/// What the audit was made of.
struct Audited {
  const std::string& data_set;  ///< as the user named it
  const std::vector<ImageRow>& rows;
  const Manifest& manifest;
};

/// Long lists are cut: the JSON has all.
std::string to_table(const Audit& audit, const Audited& of);
std::string to_json(const Audit& audit, const Audited& of);

/// One finding as the table has it: what it is, and the first ten of its images or groups, lines of text.
std::string examples(Finding finding, const Audit& audit, const Audited& of);

/// One line: "2 corrupt · 3 duplicates"; empty if there is nothing to tell.
std::string one_line(const Audit& audit);

}  // namespace lockstep::preprocess
