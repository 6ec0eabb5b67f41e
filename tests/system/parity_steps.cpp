// Steps of training on given weights and batches, for torch_parity_test.py: what a run computes, without its data set.
//
//   [mpirun -np N] parity_steps INPUT OUTPUT [options of lockstep train]
//
// INPUT (safetensors): "weights.NAME" for every tensor of the model, or none: then it has its initial weights; "images"
// [steps, n, c, side, side] and "labels" [steps, n], the global batches; "judged" [m, c, side, side]; metadata
// "classes". OUTPUT, by rank 0: "losses" float64 [steps]; "logits" of "judged" in evaluation mode with the weights as
// given; "training_logits" and, of a network with that head, "auxiliary_logits" of the first batch in training mode,
// where one rank has it all; "gradient.NAME" of the first step, as the optimiser saw them; "weights.NAME" at the end.
// "training.NAME" of INPUT: what takes the place of a weight for losses and gradients alone.
// Metadata "keep": of the last two only names that begin with one of its words, "conv1 fc". Targets of "soft_targets"
// [k, n, classes], "soft_logits" of the same shape and metadata "smoothing": "soft_losses" [k], cross_entropy_sum of
// each.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "lockstep/comm/run_in_world.hpp"
#include "lockstep/data/step_plan.hpp"
#include "lockstep/model/loss.hpp"
#include "lockstep/model/make_model.hpp"
#include "lockstep/model/pretrained.hpp"
#include "lockstep/train/training_step.hpp"
#include "lockstep/weights/safetensors.hpp"

namespace {

using namespace lockstep;
using Tensors = std::map<std::string, at::Tensor>;

Batch part_of(const Tensors& input, std::int64_t step, const Range& part) {
  Batch batch;
  batch.images = input.at("images")[step].slice(0, part.begin, part.end).contiguous(at::MemoryFormat::ChannelsLast);
  batch.labels = input.at("labels")[step].slice(0, part.begin, part.end).contiguous();
  for (std::int64_t i = part.begin; i < part.end; ++i) batch.ids.push_back(i);
  return batch;
}

class ParitySteps {
 public:
  ParitySteps(const std::filesystem::path& file, const RunConfig& config, World& world)
      : config_(config), world_(world), read_(read_safetensors(file)) {
    for (const auto& [name, tensor] : read_.tensors) {
      if (name.starts_with("weights.")) weights_.tensors.emplace_back(name.substr(8), tensor);
      input_[name] = tensor;
    }
    const at::Tensor& images = input_.at("images");
    model_ = make_model(config.model, {images.size(2), images.size(3), std::stoll(read_.metadata.at("classes"))}, 1);
    if (!weights_.tensors.empty()) start_from(weights_, *model_, file);
    std::istringstream words(read_.metadata["keep"]);
    for (std::string word; words >> word;) keep_.push_back(word);
  }

  WeightFile run() {
    judge();
    if (world_.size() == 1 && input_.at("images").size(0) > 0) look_at_training();
    replace_weights();
    train();
    soft_losses();
    for (const auto& [name, tensor] : state_of(*model_)) put("weights.", name, tensor);
    return output_;
  }

 private:
  void judge() {
    const at::NoGradGuard no_grad;
    output_.tensors.emplace_back("logits", model_->forward(input_.at("judged"), BatchContext{}));
  }

  /// The scores alone: running statistics are put back.
  void look_at_training() {
    const at::NoGradGuard no_grad;
    std::vector<at::Tensor> before;
    for (const at::Tensor& buffer : model_->buffers()) before.push_back(buffer.clone());
    const std::int64_t samples = input_.at("images").size(1);
    const Batch batch = part_of(input_, 0, {0, samples});
    at::Tensor auxiliary;
    BatchContext context;
    context.training = true;
    context.ids = batch.ids;
    context.groups = {samples};
    context.global_samples = samples;
    context.auxiliary_logits = &auxiliary;
    output_.tensors.emplace_back("training_logits", model_->forward(batch.images, context));
    if (auxiliary.defined()) output_.tensors.emplace_back("auxiliary_logits", auxiliary);
    for (std::size_t i = 0; i < before.size(); ++i) model_->buffers()[i].copy_(before[i]);
  }

  void replace_weights() {
    const at::NoGradGuard no_grad;
    for (const auto& [name, tensor] : state_of(*model_)) {
      const auto found = input_.find("training." + name);
      if (found != input_.end()) at::Tensor(tensor).copy_(found->second);
    }
  }

  void put(const std::string& prefix, const std::string& name, const at::Tensor& tensor) {
    const auto begins = [&name](const std::string& word) { return name.starts_with(word); };
    if (keep_.empty() || std::any_of(keep_.begin(), keep_.end(), begins))
      output_.tensors.emplace_back(prefix + name, tensor);
  }

  void train() {
    const at::Tensor& images = input_.at("images");
    const std::int64_t samples = images.size(1);
    RankCommunicators channels = make_rank_communicators(world_, Seconds(60));
    const StepPlan plan(samples, samples, config_.model.batch_norm_stats.granularity());
    const Range part = plan.rank_part(0, world_.rank(), world_.size());
    TrainingStep step(*model_, config_, channels);
    at::Tensor losses = at::zeros({images.size(0)}, at::kDouble);
    for (std::int64_t i = 0; i < images.size(0); ++i) {
      const StepPlace place{i, samples, plan.rank_groups(0, world_.rank(), world_.size()), false};
      losses[i] = step.run(part_of(input_, i, part), place, config_.optimiser.lr).loss;
      if (i > 0) continue;
      for (const auto& [name, parameter] : step.gradients().parameters())
        put("gradient.", name, parameter.grad().clone());
    }
    output_.tensors.emplace_back("losses", losses);
  }

  void soft_losses() {
    if (!input_.contains("soft_targets")) return;
    const at::Tensor &targets = input_.at("soft_targets"), &logits = input_.at("soft_logits");
    const double smoothing = std::stod(read_.metadata.at("smoothing"));
    at::Tensor losses = at::zeros({targets.size(0)}, at::kDouble);
    for (std::int64_t i = 0; i < targets.size(0); ++i)
      losses[i] = cross_entropy_sum(logits[i], targets[i], smoothing).item<double>();
    output_.tensors.emplace_back("soft_losses", losses);
  }

  RunConfig config_;
  World& world_;
  WeightFile read_, weights_, output_;
  Tensors input_;
  std::vector<std::string> keep_;
  std::shared_ptr<Model> model_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  return static_cast<int>(run_in_world("parity_steps", [&](World& world, const Log&) {
    if (words.size() < 2) throw usage_error("INPUT or OUTPUT is missing", "command line", "see the top of the source");
    std::vector<std::string> options(words.begin() + 2, words.end());
    options.insert(options.end(), {"--data", "none"});
    const RunConfig config = RunConfig::from(Options::parse(Command::train, options));
    at::set_num_threads(std::max<int>(1, static_cast<int>(config.threads)));
    const WeightFile output = ParitySteps(words[0], config, world).run();
    if (world.rank() == 0) write_safetensors(words[1], output);
    return Exit::done;
  }));
}
