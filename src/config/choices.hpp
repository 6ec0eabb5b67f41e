// The words of options and the values they stand for, and the parts that RunConfig is made of.
//
// Private to config. Pure functions; errors are usage errors that name the option.
#pragma once
#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "lockstep/config/run_config.hpp"

namespace lockstep {

template <typename Kind, std::size_t N>
using Names = std::array<std::pair<std::string_view, Kind>, N>;

/// `text` must be one of the names: the option table has checked it against the same words already.
template <typename Kind, std::size_t N>
Kind kind_of(const Names<Kind, N>& names, std::string_view text) {
  return std::find_if(names.begin(), names.end(), [&](const auto& pair) { return pair.first == text; })->second;
}

template <typename Kind, std::size_t N>
std::string_view text_of(const Names<Kind, N>& names, Kind kind) {
  return std::find_if(names.begin(), names.end(), [&](const auto& pair) { return pair.second == kind; })->first;
}

/// The model's part of the options.
ModelConfig model_config(const Options& options);
/// The part that says how the network learns: optimiser, schedule, regularisers, what ends the run. `config` has its
/// batch and its model already.
void read_recipe(const Options& options, RunConfig& config);

/// The value of an option that is an interval.
Interval interval(const Options& options, std::string_view name, bool minutes);

}  // namespace lockstep
