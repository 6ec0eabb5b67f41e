// Predictions judged later: a file of them joined with a file of the right labels, without any network.
//
// Rows meet by id: the same text, or the same but for an image's extension that one of both lacks ("7" and "7.png").
// Every id must occur once in each file, and in both. Classes are those of the probability columns, in their order;
// where there are none, all labels that occur, by number if all are numbers, else in byte order. A label is a class's
// name; in a file in which none is, the classes' numbers from 0. The class in the column of labels counts for accuracy,
// F1 and the confusion matrix, probabilities for loss, top-5 and AUC, which are absent without them; one of 0 counts as
// the least positive double (a loss of 708). Pure functions. Memory: both files. Errors: as said, each with the first
// few ids and their count; labels that are no class; a file whose labels have nothing to do with the other's.
#pragma once
#include <string>
#include <vector>

#include "lockstep/core/csv_columns.hpp"
#include "lockstep/evaluate/metrics.hpp"
#include "lockstep/evaluate/prediction_file.hpp"

namespace lockstep {

struct ComparedPredictions {
  JudgedSamples samples;  ///< ids are the rows of the labels, in their order
  std::vector<std::string> classes;
};

/// `wishes`: columns of `labels`.
ComparedPredictions compare_predictions(const PredictionTable& predictions, const CsvTable& labels,
                                        const ColumnWishes& wishes);

}  // namespace lockstep
