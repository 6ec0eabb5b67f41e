// Weight files in the safetensors format: a 64-bit little-endian header length, a JSON header, then raw tensor bytes.
//
// Written so that Python's `safetensors` loads them and read strictly: offsets must tile the data without gap, overlap
// or excess, the header is at most 100 MB, names and shapes must be sane. Format:
// https://github.com/huggingface/safetensors (README, "Format"). Tensors are written row-major whatever their strides.
// Errors name file, tensor and fix. Memory: reading holds the file once, writing one tensor at a time.
#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

struct WeightFile {
  std::vector<std::pair<std::string, at::Tensor>> tensors;  ///< on the CPU, by name, in file order
  std::map<std::string, std::string> metadata;
};

/// Writes atomically (temporary name, flush, rename). dtypes: float16, bfloat16, float32, float64, int32, int64, uint8.
void write_safetensors(const std::filesystem::path& file, const WeightFile& weights);
WeightFile read_safetensors(const std::filesystem::path& file);

/// Copies weights into tensors of the same names; an Error lists names that are missing, unexpected or of another
/// shape.
void copy_weights(const WeightFile& from, const std::vector<std::pair<std::string, at::Tensor>>& into,
                  const std::filesystem::path& file);

}  // namespace lockstep
