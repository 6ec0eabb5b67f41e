// Named tensors as a weight file holds them, whatever its format: what every reader gives and every writer takes.
//
// Tensors lie on the CPU and may share memory with one another (tied weights), so whoever changes one copies it first.
// A value of one thread. Errors name the file, the tensor and the fix.
#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep {

struct WeightFile {
  std::vector<std::pair<std::string, at::Tensor>> tensors;  ///< by name, in file order
  std::map<std::string, std::string> metadata;              ///< see input_statistics.hpp for keys of ours
  std::vector<std::string> notes = {};  ///< for a person, a line each: what the reader left out or renamed
};

/// A type's name in PyTorch and NumPy: "float32" …
std::string_view type_name(at::ScalarType type);

/// Copies weights into tensors of the same names; an Error lists names that are missing, unexpected or of another
/// shape, and nothing is copied.
void copy_weights(const WeightFile& from, const std::vector<std::pair<std::string, at::Tensor>>& into,
                  const std::filesystem::path& file);

/// Errors: a floating-point tensor that holds a NaN or an infinity, by name.
void require_finite_weights(const WeightFile& weights, const std::filesystem::path& file);

}  // namespace lockstep
