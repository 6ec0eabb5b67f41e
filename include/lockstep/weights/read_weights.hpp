// One door for all weight files: the format is found by the file's first bytes, never by its name.
//
// Formats: safetensors; PyTorch's zip (.pth, .pt since 1.6) and its older file of pickles; Keras' HDF5 of the layout
// with layer_names (Keras 1 and 2, and what Keras 3 saves under .h5). Refused by name, with the way out: TorchScript,
// the tar of PyTorch before 0.1.10, .keras archives, Keras 3's .weights.h5, .npz. A state dict may lie bare or under
// state_dict or model; what lies beside it is left out, and "module." is taken off the names where all carry it; the
// notes say both. Nothing of a file is ever executed. Memory: the file once. Thread-safe. Errors: unreadable or damaged
// files.
#pragma once
#include <string_view>

#include "lockstep/weights/weight_file.hpp"

namespace lockstep {

enum class WeightFormat { safetensors, torch_zip, torch_legacy, keras };

std::string_view name_of(WeightFormat format);
WeightFormat weight_format_of(const std::filesystem::path& file);

/// `model` ("vgg16" …) says whose names and layout the layers of a Keras file are brought to; other formats carry the
/// names themselves and do not look at it. Errors, for Keras: no model, or one whose weights cannot be converted
/// exactly.
WeightFile read_weights(const std::filesystem::path& file, std::string_view model = {});

/// The same, but layers of a Keras file as they lie there ("block1_conv1/kernel"), for listing.
WeightFile read_weights_as_stored(const std::filesystem::path& file);

}  // namespace lockstep
