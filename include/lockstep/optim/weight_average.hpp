// A mean of the network's weights over training, which often judges better than the newest ones.
//
//   EMA  a += (1 − d)(w − a) after every step, d = min(decay, (1 + t) / (10 + t)) in step t (from 0): a short run isn't
//        held back by its beginning (Polyak and Juditsky, 1992; the rise of d is TensorFlow's)
//   SWA  the plain mean of the weights at the ends of epochs (Izmailov et al., 2018)
//
// Averaged are all parameters and floating-point buffers (batch norm's running statistics); with SWA the caller finds
// those statistics anew. Integers are the model's. Memory: one more copy of the model, and while they are exchanged one
// tensor. The same on every rank, but for statistics that each rank keeps of its own. One thread calls.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "lockstep/config/run_config.hpp"
#include "lockstep/model/model.hpp"

namespace lockstep {

class WeightAverage {
 public:
  /// Begins with the model's weights. The model must outlive it, and keep its tensors.
  WeightAverage(const AveragingConfig& config, const Model& model);

  /// After a step: `step` are those made before it.
  void after_step(std::int64_t step);
  /// At the end of epoch `epoch`, from 1.
  void after_epoch(std::int64_t epoch);
  /// Whether there is a mean to judge yet.
  bool begun() const { return config_.decay > 0 || count_ > 0; }

  /// Puts the mean in the model's place, and the model's weights in its own; again: back.
  void exchange();

  /// What a resume needs: tensors "average.<name>" that share memory with this, and how many weights the mean has.
  const std::vector<std::pair<std::string, at::Tensor>>& state() const { return average_; }
  std::int64_t count() const { return count_; }
  void set_count(std::int64_t count) { count_ = count; }

 private:
  void move_towards(double share);

  AveragingConfig config_;
  std::vector<std::pair<std::string, at::Tensor>> weights_, average_;  // [tensor], floating-point ones
  std::int64_t count_ = 0;                                             // of weights in SWA's mean
};

}  // namespace lockstep
