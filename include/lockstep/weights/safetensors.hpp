// Weight files in the safetensors format: a 64-bit little-endian header length, a JSON header, then raw tensor bytes.
//
// Written so that Python's `safetensors` loads them and read strictly: offsets must tile the data without gap, overlap
// or excess, the header is at most 100 MB, names and shapes must be sane. Format:
// https://github.com/huggingface/safetensors (README, "Format"). Tensors are written row-major whatever their strides.
// Errors name file, tensor and fix. Memory: reading holds the file once, writing one tensor at a time. Thread-safe.
#pragma once
#include "lockstep/weights/weight_file.hpp"

namespace lockstep {

/// Writes atomically (temporary name, flush, rename). dtypes: float16, bfloat16, float32, float64, int8, int16, int32,
/// int64, uint8, bool. The notes are not written.
void write_safetensors(const std::filesystem::path& file, const WeightFile& weights);
WeightFile read_safetensors(const std::filesystem::path& file);

}  // namespace lockstep
