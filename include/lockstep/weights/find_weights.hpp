// Where people keep weights: a file that is named, or a network's name looked up in the usual folders. Never a
// download.
//
// Folders, in this order: those of LOCKSTEP_WEIGHTS (separated by colons), then the cache of PyTorch's hub, where
// torchvision puts what Python has downloaded: $TORCH_HOME/hub/checkpoints, else $XDG_CACHE_HOME or ~/.cache with
// torch/hub/checkpoints behind it. A name fits a file of a known ending that begins with it, as torchvision and Keras
// name theirs (resnet50-0676ba61.pth, inception_v3_google-0cc3c7bd.pth, vgg16_weights_tf_dim_ordering_tf_kernels.h5).
// Thread-safe while the environment is left alone. Errors: no such file, or several, with where it looked.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace lockstep {

/// Of the environment. Whether they exist is not asked.
std::vector<std::filesystem::path> weight_folders();

/// `said`: a path to a file, or a name.
std::filesystem::path find_weights(const std::string& said, const std::vector<std::filesystem::path>& folders);

}  // namespace lockstep
