// The blocks of a ResNet as values: what its summary and its construction both follow. Pure functions.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "lockstep/config/run_config.hpp"
#include "lockstep/model/model.hpp"

namespace lockstep {

struct ConvSpec {
  std::int64_t inputs, outputs, kernel, stride;

  std::int64_t weights() const { return inputs * outputs * kernel * kernel; }
  /// Of the output; the padding is kernel / 2.
  std::int64_t side_after(std::int64_t side) const { return (side - 1) / stride + 1; }
};

/// A residual block: `convs` one after the other, each with batch norm, the last one's relu after the sum with the
/// input, which passes through `shortcut` where its shape changes.
struct BlockSpec {
  std::string stage, name;      // "layer1", "0"
  std::vector<ConvSpec> convs;  // 2, or 3 of a bottleneck
  bool has_shortcut;
  ConvSpec shortcut;

  bool bottleneck() const { return convs.size() == 3; }
};

struct ResNetPlan {
  ConvSpec stem;                  // followed by batch norm, relu and a 3×3 max-pool of stride 2
  std::vector<BlockSpec> blocks;  // in order
  std::int64_t features;          // what the head takes
};

inline constexpr ConvSpec stem_pool{0, 0, 3, 2};  // for its side_after()

/// Errors: a side below 17; a kind that is no ResNet is a defect.
ResNetPlan plan_resnet(ModelKind kind, const ModelInput& input);

}  // namespace lockstep
