// Which parameters of a network keep their weights.
//
//   a share f, or the first N   the first units in registration order, whatever they count: tensors (⌊f·tensors⌋ are
//                               frozen), modules that own parameters (⌊f·modules⌋; all tensors of each) or single
//                               weights (the longest prefix of whole tensors with at most f of them, or N)
//   all but the head            what Model::heads() does not name; so does a share of 1
//   the head                    the heads, and everything from the first dense layer behind the last convolution on
//   patterns                    modules with all they hold, and single parameters, by name; * stands for any letters
//
// Registration order is torchvision's for its networks. A frozen parameter requires no gradient, so it has none, no
// place in a bucket and no optimiser state, and backward stops where nothing before it is trained. A batch norm whose
// weight and bias are both frozen uses its running statistics and leaves them alone. Dropout goes on. What is frozen is
// a pure function, equal on every rank. Errors: nothing is left to train; a pattern that matches nothing; frozen
// weights into which nothing was learnt; an unfreezing that would freeze.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lockstep/config/run_config.hpp"
#include "lockstep/model/model.hpp"
#include "lockstep/model/pretrained.hpp"

namespace lockstep {

/// A parameter tensor, by the name under which weight files keep it.
struct ParameterEntry {
  std::string name;
  std::int64_t elements = 0;
  std::int64_t dimensions = 0;  ///< 4: a convolution's weight, 2: a dense layer's
  bool frozen = false;

  /// The module that owns it: its name without the last part.
  std::string module() const { return name.substr(0, name.rfind('.')); }
};

/// Trained and frozen parameters of a network.
struct TrainedPart {
  std::vector<ParameterEntry> parameters;  ///< all, in registration order

  std::size_t frozen() const;
  /// How many of the first are frozen before one is trained.
  std::size_t frozen_prefix() const;
  std::int64_t elements() const;
  std::int64_t frozen_elements() const;
  /// For a person: how much is frozen and where; one line.
  std::string description() const;
  /// What is frozen, one after the other: modules, and tensors of one that is frozen in part ("conv1, bn1, fc.weight").
  std::string frozen_list() const;
};

/// What freezing would do. `heads`: Model::heads(). Errors: as above.
TrainedPart plan_freezing(std::vector<ParameterEntry> parameters, const std::vector<std::string>& heads,
                          const FreezeConfig& config);

/// Does it; before buckets and optimiser are made. What is not frozen is trained.
TrainedPart freeze(Model& model, const FreezeConfig& config);

/// Throws unless every unfreezing keeps training what was trained before it. Leaves the model alone.
void require_only_unfreezing(const Model& model, const FreezeConfig& config);

/// Throws if a parameter is frozen that the weights of a file have left with random values: a head that starts anew.
void require_learnt(const TrainedPart& part, const PretrainedReport& report);

}  // namespace lockstep
