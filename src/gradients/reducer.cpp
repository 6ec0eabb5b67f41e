#include "lockstep/gradients/reducer.hpp"

#include <fmt/format.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <functional>
#include <vector>

#include "lockstep/comm/agreement.hpp"
#include "lockstep/core/stopwatch.hpp"

namespace lockstep {
namespace {

/// LibTorch's hook that runs once per parameter and backward, after its gradient was added to .grad.
class GradientHook final : public torch::autograd::PostAccumulateGradHook {
 public:
  explicit GradientHook(std::function<void()> ready) : ready_(std::move(ready)) {}
  void operator()(const torch::autograd::Variable& /*parameter*/) override { ready_(); }

 private:
  std::function<void()> ready_;
};

}  // namespace

class Reducer::State {
 public:
  State(Communicator& communicator, GradientBuckets& buckets, Overlap overlap);
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void begin();
  ExchangeStats finish();

 private:
  void install_hooks();
  void remove_hooks();
  void on_gradient(std::size_t parameter);
  void launch_complete();
  void launch_next();
  const std::string& name(std::size_t parameter) const { return buckets_.parameters()[parameter].first; }

  Communicator& communicator_;
  GradientBuckets& buckets_;
  const Overlap overlap_;
  std::size_t hooked_ = 0;                // parameters 0 … hooked_−1 carry our hook
  bool open_ = false;                     // between begin() and finish()
  std::vector<char> ready_;               // [parameter]: its gradient is there
  std::vector<std::size_t> outstanding_;  // [bucket]: gradients not there yet
  std::vector<Work> works_;               // [bucket], launched so far
};

Reducer::State::State(Communicator& communicator, GradientBuckets& buckets, Overlap overlap)
    : communicator_(communicator), buckets_(buckets), overlap_(overlap) {
  require_agreement(communicator, "bucket plan", buckets.plan().digest);
  try {
    install_hooks();
  } catch (...) {
    remove_hooks();
    throw;
  }
}

Reducer::State::~State() { remove_hooks(); }

void Reducer::State::install_hooks() {
  for (; hooked_ < buckets_.parameters().size(); ++hooked_) {
    const std::size_t i = hooked_;
    const at::Tensor& parameter = buckets_.parameters()[i].second;
    if (torch::autograd::impl::post_acc_grad_hooks(parameter) != nullptr) {
      throw defect("the parameter already has a reducer", name(i));
    }
    torch::autograd::impl::set_post_acc_grad_hooks(parameter,
                                                   std::make_unique<GradientHook>([this, i] { on_gradient(i); }));
  }
}

void Reducer::State::remove_hooks() {
  for (std::size_t i = 0; i < hooked_; ++i) {
    torch::autograd::impl::set_post_acc_grad_hooks(buckets_.parameters()[i].second, nullptr);
  }
}

void Reducer::State::begin() {
  if (open_) throw defect("begin() while a step is open: finish() was not called", "Reducer");
  buckets_.zero();
  ready_.assign(buckets_.parameters().size(), 0);
  outstanding_.clear();
  for (const BucketShape& bucket : buckets_.plan().buckets) outstanding_.push_back(bucket.parameters.size());
  works_.clear();
  open_ = true;
}

void Reducer::State::on_gradient(std::size_t parameter) {
  if (!open_) {
    throw Error("a gradient arrived outside of a step", name(parameter),
                "call begin() before backward and finish() after it");
  }
  if (ready_[parameter]) {
    throw Error("a second gradient in one step", name(parameter), "call backward once between begin() and finish()");
  }
  buckets_.check_view(parameter);
  ready_[parameter] = 1;
  --outstanding_[buckets_.plan().slots[parameter].bucket];
  if (overlap_ == Overlap::yes) launch_complete();
}

void Reducer::State::launch_complete() {
  // Strictly in plan order: the order in which buckets fill may differ between ranks, collectives must not.
  while (works_.size() < outstanding_.size() && outstanding_[works_.size()] == 0) launch_next();
}

void Reducer::State::launch_next() { works_.push_back(communicator_.sum(buckets_.bucket(works_.size()))); }

ExchangeStats Reducer::State::finish() {
  if (!open_) throw defect("finish() without begin()", "Reducer");
  open_ = false;
  const Stopwatch exposed;
  ExchangeStats stats;
  stats.bytes = buckets_.bytes();
  stats.launched_in_backward = static_cast<int>(works_.size());
  while (works_.size() < buckets_.count()) launch_next();
  for (Work& work : works_) work.let_stream_wait();
  stats.buckets = static_cast<int>(works_.size());
  stats.exposed_seconds = exposed.seconds();
  return stats;
}

Reducer::Reducer(Communicator& communicator, GradientBuckets& buckets, Overlap overlap)
    : state_(std::make_unique<State>(communicator, buckets, overlap)) {}
Reducer::~Reducer() = default;

void Reducer::begin() { state_->begin(); }
ExchangeStats Reducer::finish() { return state_->finish(); }

}  // namespace lockstep
