// What a plan's layers make of an image's size, and what they cost.
#include <cmath>

#include "lockstep/core/error.hpp"
#include "model/network_plan.hpp"

namespace lockstep {
namespace {

/// What passes from layer to layer: images of side × side pixels, or rows where side is 0.
struct Shape {
  std::int64_t channels = 0, side = 0;

  bool operator==(const Shape&) const = default;
};

[[noreturn]] void reject(const std::string& layer) { throw defect("it does not go with the layer before it", layer); }

/// Follows a chain: the shape changes, the costs add up.
class Walk {
 public:
  explicit Walk(const Shape& start) : shape_(start) {}

  Walk& follow(const Chain& chain) {
    for (const Layer& layer : chain) std::visit([this](const auto& what) { pass(what); }, layer);
    return *this;
  }

  const Shape& shape() const { return shape_; }
  std::int64_t parameters() const { return parameters_; }
  std::int64_t flops() const { return flops_; }
  bool fits() const { return fits_; }

 private:
  /// A window that moves over the image by `stride`.
  std::int64_t side_after(std::int64_t kernel, std::int64_t stride, std::int64_t padding, bool ceil = false) {
    const std::int64_t room = shape_.side + 2 * padding - kernel + (ceil ? stride - 1 : 0);
    if (room < 0 || (stride > 1 && shape_.side < 2)) fits_ = false;
    return std::max<std::int64_t>(1, room / stride + 1);
  }

  void pass(const Conv& conv) {
    if (conv.inputs != shape_.channels || shape_.side == 0) reject(conv.name);
    const std::int64_t rows = side_after(conv.kernel[0], conv.stride, conv.padding[0]),
                       columns = side_after(conv.kernel[1], conv.stride, conv.padding[1]);
    if (rows != columns) reject(conv.name);
    shape_ = {conv.outputs, rows};
    parameters_ += conv.weights() + (conv.bias ? conv.outputs : 0);
    flops_ += 2 * conv.weights() * rows * columns;
  }
  void pass(const Norm& norm) {
    if (norm.channels != shape_.channels) reject(norm.name);
    parameters_ += 2 * norm.channels;
  }
  void pass(const Dense& dense) {
    if (dense.inputs != shape_.channels || shape_.side != 0) reject(dense.name);
    shape_ = {dense.outputs, 0};
    parameters_ += dense.inputs * dense.outputs + dense.outputs;
    flops_ += 2 * dense.inputs * dense.outputs;
  }
  void pass(const Pool& pool) { shape_.side = side_after(pool.kernel, pool.stride, pool.padding, pool.ceil); }
  void pass(const Shrink& shrink) { shape_.side = shrink.side; }
  void pass(const Flatten&) { shape_ = {shape_.channels * shape_.side * shape_.side, 0}; }
  void pass(const Curve&) {}
  void pass(const Drop&) {}
  void pass(const Branches& branches) {
    Shape joined;
    for (const Chain& branch : branches.branches) {
      const Walk walk = Walk(shape_).follow(branch);
      parameters_ += walk.parameters_;
      flops_ += walk.flops_;
      fits_ = fits_ && walk.fits_;
      const bool first = &branch == &branches.branches.front();
      if (branches.join == Branches::Join::concat && !first) {
        if (fits_ && walk.shape_.side != joined.side) reject("branches of several sides");
        joined.channels += walk.shape_.channels;
      } else {
        if (branches.join == Branches::Join::sum && !first && walk.shape_ != joined) reject("a sum of several shapes");
        joined = walk.shape_;
      }
    }
    shape_ = joined;
  }

  Shape shape_;
  std::int64_t parameters_ = 0, flops_ = 0;
  bool fits_ = true;
};

std::vector<std::int64_t> output_of(const Shape& shape) {
  if (shape.side == 0) return {shape.channels};
  return {shape.channels, shape.side, shape.side};
}

}  // namespace

Initial he_normal(const Conv& conv) {
  return {Initial::Law::normal, std::sqrt(2.0 / static_cast<double>(conv.fan_out()))};
}

Initial torch_default(std::int64_t fan_in) {
  return {Initial::Law::uniform, 1.0 / std::sqrt(static_cast<double>(fan_in))};
}

std::vector<LayerSummary> summarise(const NetworkPlan& plan, const ModelInput& input) {
  std::vector<LayerSummary> layers;
  Shape shape{input.channels, input.side};
  for (const StagePlan& stage : plan.stages) {
    if (stage.auxiliary) {  // its operations are no part of judging an image
      const Walk walk = Walk(shape).follow(stage.auxiliary->layers);
      layers.push_back({stage.auxiliary->name, stage.auxiliary->kind, output_of(walk.shape()), walk.parameters(), 0});
    }
    const Walk walk = Walk(shape).follow(stage.layers);
    shape = walk.shape();
    layers.push_back({stage.name, stage.kind, output_of(shape), walk.parameters(), walk.flops()});
  }
  return layers;
}

bool fits(const NetworkPlan& plan, const ModelInput& input) {
  Shape shape{input.channels, input.side};
  for (const StagePlan& stage : plan.stages) {
    if (stage.auxiliary && !Walk(shape).follow(stage.auxiliary->layers).fits()) return false;
    const Walk walk = Walk(shape).follow(stage.layers);
    if (!walk.fits()) return false;
    shape = walk.shape();
  }
  return true;
}

}  // namespace lockstep
