// (x − mean) / std of whole batches of uint8 pixels, on the device that holds them.
//
// For loaders that hand pixels over as they are. Values are those of the pixels' own rounding, at most half a grey
// level from what a float32 slot holds. A value; its two small tensors live on the device.
#pragma once
#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include "lockstep/data/image_transform.hpp"

namespace lockstep {

class Normaliser {
 public:
  Normaliser(const ChannelScale& scale, c10::Device device);
  /// uint8 [n, channels, height, width] to float32 of the same memory layout; other types come back as they are.
  at::Tensor operator()(const at::Tensor& images) const;

 private:
  at::Tensor mean_, factor_;  // [1, channels, 1, 1]
};

}  // namespace lockstep
