// PyTorch's own weight files: the zip archive of torch.save, read and written, and the pickles it wrote before 1.6,
// read.
//
// Source: torch/serialization.py and caffe2/serialize of PyTorch 2.11. Strides and offsets into storages are followed,
// and tensors that share a storage share memory. Checksums are compared. Little-endian files alone are read; types:
// float16, bfloat16, float32, float64, int8, int16, int32, int64, uint8, bool. Memory: each storage that weights use,
// once; for the older format 64 MiB beside it while its pickles are read. Thread-safe. Errors: see read_weights.hpp.
#pragma once
#include "lockstep/weights/weight_file.hpp"

namespace lockstep {

WeightFile read_torch_zip(const std::filesystem::path& file);
WeightFile read_torch_legacy(const std::filesystem::path& file);

/// A state dict that torch.load(weights_only=True) accepts, atomically: tensors row-major, each with a storage of its
/// own. The metadata go into a record of ours, lockstep.json, that PyTorch passes over; the notes are not written.
void write_torch_zip(const std::filesystem::path& file, const WeightFile& weights);

}  // namespace lockstep
