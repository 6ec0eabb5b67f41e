// What --print-model shows of a network: its layers with their shapes, parameters and cost, without making any tensor.
//
// Values; pure functions.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

/// One line of what --print-model shows.
struct LayerSummary {
  std::string name, kind;
  std::vector<std::int64_t> output;  ///< per sample: [channels, height, width] or [features]
  std::int64_t parameters = 0;
  std::int64_t flops = 0;  ///< of the forward pass of one image; a multiply-add counts as two
};

/// The summary as a table for a person, with totals.
std::string format_summary(const std::vector<LayerSummary>& layers);

}  // namespace lockstep
