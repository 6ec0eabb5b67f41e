// Sums gradients over the ranks while backward still computes the rest of them.
//
//   reducer.begin();   // zeroes the gradients
//   loss.backward();   // hooks launch a bucket once its gradients are all there, in plan order on every rank
//   reducer.finish();  // launches what is missing, waits (on a GPU: what is computed next waits)
//
// No scaling: divide the loss by the samples of the *global* batch and the sum is the gradient of the mean over
// samples, however unevenly the ranks share them. Parameters this backward did not reach count as zero gradient, so a
// rank without samples may skip backward. One step at a time; hooks run on the thread that calls backward, on a GPU on
// LibTorch's thread for it, and never block. Errors: bucket plans that differ between ranks; begin() and finish() out
// of turn; a gradient outside of a step, or the same one twice in a step; a .grad that is no longer a view of its
// bucket; those of the exchange. After an error in a step the ranks no longer agree: end the run.
#pragma once
#include <cstdint>
#include <memory>

#include "lockstep/comm/communicator.hpp"
#include "lockstep/gradients/gradient_buckets.hpp"

namespace lockstep {

/// When buckets are launched: as they fill, or all in finish() (to measure what overlap brings).
enum class Overlap { yes, no };

/// What the exchange of one step cost this rank.
struct ExchangeStats {
  std::int64_t bytes = 0;        ///< summed, as this rank sees it
  int buckets = 0;               ///< launched
  int launched_in_backward = 0;  ///< of these, before finish()
  double exposed_seconds = 0;    ///< spent in finish(): what backward did not hide; on a GPU the host doesn't wait
};

class Reducer {
 public:
  /// Every rank calls it. `communicator` and `buckets` outlive it; one Reducer per parameter at a time.
  Reducer(Communicator& communicator, GradientBuckets& buckets, Overlap overlap = Overlap::yes);
  /// Removes the hooks.
  ~Reducer();
  Reducer(const Reducer&) = delete;
  Reducer& operator=(const Reducer&) = delete;

  void begin();
  ExchangeStats finish();

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace lockstep
