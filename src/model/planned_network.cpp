#include "model/planned_network.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "lockstep/core/error.hpp"
#include "lockstep/model/dropout.hpp"
#include "model/layers.hpp"

namespace lockstep {
namespace {

using Step = std::function<at::Tensor(const at::Tensor&, const BatchContext&)>;

at::Tensor run(const std::vector<Step>& steps, const at::Tensor& x, const BatchContext& context) {
  at::Tensor y = x;
  for (const Step& step : steps) y = step(y, context);
  return y;
}

/// The sum is taken in the memory of the first branch that computes something: nobody else keeps its result. Layers
/// that end a branch (batch norm, pool) work from their input in backward.
at::Tensor sum_of(const std::vector<std::vector<Step>>& branches, const at::Tensor& x, const BatchContext& context) {
  at::Tensor sum;
  std::size_t first = 0;
  while (branches[first].empty()) ++first;
  sum = run(branches[first], x, context);
  for (std::size_t i = 0; i < branches.size(); ++i) {
    if (i != first) sum.add_(run(branches[i], x, context));
  }
  return sum;
}

at::Tensor join(Branches::Join how, const std::vector<std::vector<Step>>& branches, const at::Tensor& x,
                const BatchContext& context) {
  if (how == Branches::Join::sum) return sum_of(branches, x, context);
  std::vector<at::Tensor> parts;
  for (const std::vector<Step>& branch : branches) parts.push_back(run(branch, x, context));
  if (how == Branches::Join::concat) return at::cat(parts, 1);
  return at::hardsigmoid(parts[0]) * parts[1];
}

/// Whether training changes what the module's head says: one of its parameters, or what it judges.
bool learns(const torch::nn::Module& head, const at::Tensor& x) {
  const std::vector<at::Tensor> parameters = head.parameters();
  return x.requires_grad() || std::any_of(parameters.begin(), parameters.end(),
                                          [](const at::Tensor& parameter) { return parameter.requires_grad(); });
}

class PlannedNetwork final : public Model {
 public:
  PlannedNetwork(const NetworkPlan& plan, const BatchNormStats& stats, std::uint64_t seed)
      : stats_(stats), seed_(seed) {
    for (const StagePlan& stage : plan.stages) add(stage);
    for (const std::string& head : plan.heads) add_head(head);
    for (const std::string& module : plan.left_out) leave_out(module);
  }

 private:
  void add(const StagePlan& plan) {
    Step auxiliary = auxiliary_of(plan);
    const std::vector<Step> steps = steps_of(plan.layers);
    const bool drops = std::holds_alternative<Drop>(plan.layers.front()) && std::get<Drop>(plan.layers.front()).p > 0;
    add_stage({plan.name, plan.modules.empty() ? std::vector{plan.name} : plan.modules,
               [auxiliary, steps](const at::Tensor& x, const BatchContext& context) {
                 if (auxiliary) auxiliary(x, context);
                 return run(steps, x, context);
               },
               drops});
  }

  Step auxiliary_of(const StagePlan& plan) {
    if (!plan.auxiliary) return nullptr;
    const std::vector<Step> steps = steps_of(plan.auxiliary->layers);
    const auto head = named_children()[plan.auxiliary->name];
    return [steps, head](const at::Tensor& x, const BatchContext& context) {
      if (!context.training || context.auxiliary_logits == nullptr || !learns(*head, x)) return at::Tensor();
      return *context.auxiliary_logits = run(steps, x, context);
    };
  }

  std::vector<Step> steps_of(const Chain& chain) {
    std::vector<Step> steps;
    for (const Layer& layer : chain) {
      const bool first = steps.empty();
      steps.push_back(std::visit([&](const auto& what) { return step_of(what, first); }, layer));
    }
    return steps;
  }

  Step step_of(const Conv& conv, bool) {
    const auto layer = put(conv.name, std::make_shared<ConvLayer>(conv, seed_));
    return [layer](const at::Tensor& x, const BatchContext&) { return layer->forward(x); };
  }
  Step step_of(const Norm& norm, bool first) {
    const InputMemory memory = first ? InputMemory::stays : InputMemory::may_be_taken;
    const auto layer =
        put(norm.name, std::make_shared<BatchNormActivation>(norm.channels, norm.activation, stats_, norm.constants));
    return [layer, memory](const at::Tensor& x, const BatchContext& context) {
      return layer->forward(x, context, memory);
    };
  }
  Step step_of(const Dense& dense, bool) {
    const auto layer = put(dense.name, std::make_shared<DenseLayer>(dense, seed_));
    return [layer](const at::Tensor& x, const BatchContext&) { return layer->forward(x); };
  }
  Step step_of(const Curve& curve, bool first) {
    if (curve.activation == Activation::relu && !first) {
      // A view (a convolution over bands) in place would cost its backward another copy.
      return [](const at::Tensor& x, const BatchContext&) { return x.is_view() ? at::relu(x) : at::Tensor(x).relu_(); };
    }
    return [curve](const at::Tensor& x, const BatchContext&) { return activate(x, curve.activation); };
  }
  Step step_of(const Pool& pool, bool) {
    return [pool](const at::Tensor& x, const BatchContext&) {
      const std::int64_t k = pool.kernel, s = pool.stride, p = pool.padding;
      if (pool.kind == Pool::Kind::mean) return at::avg_pool2d(x, {k, k}, {s, s}, {p, p}, pool.ceil);
      return at::max_pool2d(x, {k, k}, {s, s}, {p, p}, {1, 1}, pool.ceil);
    };
  }
  Step step_of(const Shrink& shrink, bool) {
    return [side = shrink.side](const at::Tensor& x, const BatchContext&) {
      return at::adaptive_avg_pool2d(x, {side, side});
    };
  }
  Step step_of(const Flatten&, bool) {
    return [](const at::Tensor& x, const BatchContext&) { return x.flatten(1); };
  }
  Step step_of(const Drop& drop, bool) {
    return [p = drop.p, number = dropouts_++](const at::Tensor& x, const BatchContext& context) {
      return dropout(x, p, number, context);
    };
  }
  Step step_of(const Branches& plan, bool) {
    std::vector<std::vector<Step>> branches;
    for (const Chain& branch : plan.branches) branches.push_back(steps_of(branch));
    return [how = plan.join, branches](const at::Tensor& x, const BatchContext& context) {
      return join(how, branches, x, context);
    };
  }

  /// Registers a layer under its whole name: "layer1.0.conv1" in "0" in "layer1", made where they are not there yet.
  template <typename Module>
  std::shared_ptr<Module> put(const std::string& name, std::shared_ptr<Module> layer) {
    torch::nn::Module* owner = this;
    std::size_t begin = 0;
    for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', begin)) {
      const std::string part = name.substr(begin, dot - begin);
      const auto children = owner->named_children();
      const auto* found = children.find(part);
      owner =
          found != nullptr ? found->get() : owner->register_module(part, std::make_shared<torch::nn::Module>()).get();
      begin = dot + 1;
    }
    return owner->register_module(name.substr(begin), std::move(layer));
  }

  BatchNormStats stats_;
  std::uint64_t seed_;
  std::uint32_t dropouts_ = 0;
};

}  // namespace

std::shared_ptr<Model> make_planned_network(const NetworkPlan& plan, const BatchNormStats& stats, std::uint64_t seed) {
  return std::make_shared<PlannedNetwork>(plan, stats, seed);
}

}  // namespace lockstep
