// What keeps the weights of a file from being a model's: collected, then said in one sentence.
//
// A value of one thread. Long lists are cut, with their count.
#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

namespace lockstep {

struct WeightFaults {
  std::vector<std::string> missing, unexpected, reshaped;

  void add_shape(const std::string& name, at::IntArrayRef in_file, at::IntArrayRef in_model);
  bool any() const { return !missing.empty() || !unexpected.empty() || !reshaped.empty(); }
  [[noreturn]] void raise(const std::filesystem::path& file) const;
};

}  // namespace lockstep
