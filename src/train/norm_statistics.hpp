// Batch norm's running statistics found anew for weights that no step has trained with, such as a mean of weights.
//
// Plain means of what each batch measures (Izmailov et al., 2018; torch's update_bn), in place of the running ones of
// all norms that are trained; what else a forward pass counts is put back. Statistics that each rank keeps of its own
// part stay its own: a rank without a group in a batch has the part 0 of it, as in training, so that the mean over the
// ranks is that of all groups. Internal to src/train. Every rank calls it alike. The model must outlive it.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "lockstep/model/batch_norm.hpp"
#include "lockstep/model/model.hpp"

namespace lockstep {

class NormStatistics {
 public:
  explicit NormStatistics(Model& model);

  /// Whether there is anything to find.
  bool any() const { return !norms_.empty(); }
  /// Around a forward pass in training mode.
  void before_batch();
  void after_batch();
  /// Puts the means in place; a norm that no pass has reached (of an auxiliary head) keeps what it had.
  void finish();

 private:
  struct Norm {
    BatchNormActivation* layer;
    at::Tensor mean, var;          // before
    std::int64_t tracked;          // batches that the layer had counted before
    std::int64_t counted;          // … before the newest pass
    at::Tensor mean_sum, var_sum;  // float64, of what was measured
    std::int64_t batches;          // that reached it
  };
  std::vector<Norm> norms_;
};

}  // namespace lockstep
