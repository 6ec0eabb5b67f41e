// predictions.h5: what a run's network said of the labelled samples of the splits it was judged on, so that every
// metric can be computed again without it, and two runs compared sample by sample.
//
//   attribute format_version   int32, 1
//   /classes                   UTF-8 strings [class], their names
//   /splits                    UTF-8 strings, the splits as metrics.json calls them, in its order
//   and for each a group called like it ('/' is written %2F, '%' %25, a '.' in front %2E) with
//     /ids                     int64 [n], rising
//     /labels, /predicted      int32 [n], numbers of classes
//     /scores                  [n, classes]: float32 logits of a network, or float64 logarithms of probabilities
//     attributes               UTF-8: weights ("best" or "last"), weights_digest (XXH64 of their file), data (digest
//                              of the data set), checksum (XXH64 of all the above, 16 hexadecimal digits)
//
// Plain HDF5 without time stamps; equal content is equal bytes. Written whole or not at all. Readers check everything:
// what they return holds together. Memory: 8 bytes a score that is read, and
// 4 while a split is written; keep_predictions() holds one other split at a time. Errors: a damaged file, a later
// version, another kind of file, scores that are not finite. One thread at a time.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/evaluate/judged_samples.hpp"

namespace lockstep {

struct SplitPredictions {
  std::string split;                                 ///< as metrics.json calls what was judged
  std::string weights;                               ///< "best" or "last"
  std::string data_digest;                           ///< Manifest::digest()
  std::vector<std::int64_t> ids, labels, predicted;  ///< [sample]
  std::vector<double> scores;                        ///< [sample · classes]
  bool single_precision = true;                      ///< the scores are floats, and stored so
  std::string weights_digest;                        ///< XXH64 of the weight file, as file_digest() gives it

  /// As metrics take them.
  JudgedSamples judged() const;
};

struct KeptPredictions {
  static constexpr int format_version = 1;

  std::vector<std::string> classes;
  std::vector<SplitPredictions> splits;

  /// nullptr if there is no such split.
  const SplitPredictions* find(std::string_view split) const;
  /// An Error that lists the splits there are, if it is none of them. `file`: for that error.
  const SplitPredictions& split(std::string_view name, const std::filesystem::path& file) const;
};

/// Whether a file is meant as predictions.h5: by its ending, or by HDF5's signature.
bool is_kept_predictions(const std::filesystem::path& file);

void write_predictions(const std::filesystem::path& file, const KeptPredictions& predictions);
KeptPredictions read_predictions(const std::filesystem::path& file);

/// Writes the file with `split` in the place of one of the same name, or behind the others; others of the same classes
/// stay. A file that can't be read, or is of other classes, is set aside: then the result says why, else it is empty.
std::string keep_predictions(const std::filesystem::path& file, const std::vector<std::string>& classes,
                             const SplitPredictions& split);

/// Where such a file is then.
std::filesystem::path set_aside(const std::filesystem::path& file);

}  // namespace lockstep
