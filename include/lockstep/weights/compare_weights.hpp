// Two weight files beside each other: which names, shapes, types and values differ.
//
// Pure functions. Values are compared as they are stored, a million at a time; NaNs in the same place are equal.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "lockstep/weights/weight_file.hpp"

namespace lockstep {

struct WeightComparison {
  std::vector<std::string> only_first, only_second;  ///< names
  std::vector<std::string> differences;              ///< of tensors that both have, a sentence each
  std::size_t equal = 0;
  double largest = 0;  ///< difference of two values in tensors of the same shape; infinite for NaN beside a number

  bool same() const { return only_first.empty() && only_second.empty() && differences.empty(); }
};

/// `tolerance`: differences of values up to this are none.
WeightComparison compare_weights(const WeightFile& first, const WeightFile& second, double tolerance);

}  // namespace lockstep
