// The layers of a Keras file and their tensors, as they lie there. Private to weights.
//
// Opens the file once; one thread. Errors name the file, the layer and the tensor. Memory: what is asked for.
#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/core/files.hpp"
#include "lockstep/core/hdf5.hpp"

namespace lockstep {

struct KerasLayer {
  std::string name;
  std::vector<std::string> tensors;  ///< their names as Keras orders them: kernel, bias; gamma, beta, mean, variance …
};

class KerasLayers {
 public:
  explicit KerasLayers(const std::filesystem::path& path);

  /// Those that have tensors, in the order of the network.
  const std::vector<KerasLayer>& all() const { return layers_; }
  const KerasLayer* find(std::string_view name) const;
  /// float32, row-major, in Keras' layout.
  at::Tensor tensor(const KerasLayer& layer, std::size_t index) const;
  const std::filesystem::path& path() const { return bytes_.path(); }

 private:
  std::vector<std::string> texts(const std::string& object, const std::string& name) const;
  void refuse_without_names(const std::string& root) const;
  void refuse_backend(const std::string& root) const;

  hdf5::File file_;
  RandomAccessFile bytes_;
  std::string root_;  ///< empty, or the group of a whole saved model, with a slash
  std::vector<KerasLayer> layers_;
};

}  // namespace lockstep
