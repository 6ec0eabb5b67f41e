// Which part of a network keeps its weights: a prefix of its parameters in registration order.
//
// A fraction f counts tensors (⌊f·tensors⌋ are frozen), modules that own parameters (⌊f·modules⌋; all tensors of each)
// or single weights (the longest prefix of whole tensors with at most f of them). Registration order is torchvision's
// for its networks. A frozen parameter requires no gradient, so it has none, no place in a bucket and no optimiser
// state, and backward stops where nothing before it is trained. A batch norm whose weight and bias are both frozen uses
// its running statistics and leaves them alone. Dropout goes on. The prefix is a pure function, equal on every rank.
// Errors: nothing is left to train.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lockstep/config/run_config.hpp"
#include "lockstep/model/model.hpp"

namespace lockstep {

/// A parameter tensor, by the name under which weight files keep it.
struct ParameterEntry {
  std::string name;
  std::int64_t elements = 0;

  /// The module that owns it: its name without the last part.
  std::string module() const { return name.substr(0, name.rfind('.')); }
};

/// Trained and frozen parameters of a network.
struct TrainedPart {
  std::vector<ParameterEntry> parameters;  ///< all, in registration order
  std::size_t frozen = 0;                  ///< how many of the first keep their weights

  std::int64_t elements() const;
  std::int64_t frozen_elements() const;
  /// For a person: how much is frozen and where the trained part begins; one line.
  std::string description() const;
  /// What is frozen, one after the other: modules, and tensors of one that is frozen in part ("conv1, bn1, fc.weight").
  std::string frozen_list() const;
};

/// What freezing would do. Errors: as above.
TrainedPart plan_freezing(std::vector<ParameterEntry> parameters, const FreezeConfig& config);

/// Does it; before buckets and optimiser are made.
TrainedPart freeze(Model& model, const FreezeConfig& config);

}  // namespace lockstep
