#include "lockstep/model/pretrained.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <map>

#include "lockstep/core/error.hpp"
#include "model/weight_faults.hpp"

namespace lockstep {
namespace {

using Tensors = std::map<std::string, at::Tensor>;

constexpr std::string_view step_counter = "num_batches_tracked";

/// The layer that turns features into scores: what it is called, and its weights.
struct Head {
  std::string name;
  at::Tensor weight, bias;
};

Head head_of(const Model& model) {
  const auto parameters = model.named_parameters();
  const std::string& last = parameters.back().key();
  const std::string name = last.substr(0, last.rfind('.'));
  return {name, parameters[name + ".weight"], parameters[name + ".bias"]};
}

/// Whether the file's head takes the same features to another number of classes. Then it says nothing of ours.
bool is_for_other_classes(const Tensors& file, const Head& head) {
  const auto weight = file.find(head.name + ".weight"), bias = file.find(head.name + ".bias");
  return weight != file.end() && bias != file.end() && weight->second.dim() == 2 && bias->second.dim() == 1 &&
         weight->second.size(1) == head.weight.size(1) && weight->second.size(0) == bias->second.size(0) &&
         weight->second.size(0) != head.weight.size(0);
}

/// The first convolution's shape alone tells for how many channels a network is.
void check_channels(const Tensors& file, const Model& model, const std::filesystem::path& path) {
  const auto parameters = model.named_parameters();
  const at::Tensor& first = parameters.front().value();
  const auto found = file.find(parameters.front().key());
  if (found == file.end() || first.dim() != 4 || found->second.dim() != 4) return;
  const std::int64_t has = found->second.size(1), wants = first.size(1);
  std::vector<std::int64_t> otherwise = found->second.sizes().vec();
  otherwise[1] = wants;
  if (has == wants || at::IntArrayRef(otherwise) != first.sizes()) return;
  throw Error(fmt::format("the weights are for images of {} channel{}, the data set's have {}", has,
                          has == 1 ? "" : "s", wants),
              path.string(), fmt::format("pack the data set with --channels {}", has));
}

bool may_be_absent(const std::string& name) { return name.ends_with(step_counter); }

/// The tensors of the model that the file shall fill; throws what keeps it from that.
Tensors matching(const Tensors& file, const Model& model, const PretrainedReport& report,
                 const std::filesystem::path& path) {
  WeightFaults faults;
  Tensors into;
  Tensors rest = file;
  for (const auto& [name, tensor] : state_of(model)) {
    const auto found = rest.find(name);
    const bool is_head = !report.new_head.empty() && name.starts_with(report.new_head + ".");
    if (found == rest.end()) {
      if (!may_be_absent(name)) faults.missing.push_back(name);
      continue;
    }
    if (!is_head && found->second.sizes() != tensor.sizes()) {
      faults.add_shape(name, found->second.sizes(), tensor.sizes());
    } else if (!is_head) {
      into[name] = tensor;
    }
    rest.erase(found);
  }
  for (const auto& [name, tensor] : rest) faults.unexpected.push_back(name);
  if (faults.any()) faults.raise(path);
  return into;
}

}  // namespace

PretrainedReport start_from(const WeightFile& weights, Model& model, const std::filesystem::path& file) {
  const Tensors available(weights.tensors.begin(), weights.tensors.end());
  check_channels(available, model, file);
  PretrainedReport report;
  const Head head = head_of(model);
  report.classes = report.file_classes = head.weight.size(0);
  if (is_for_other_classes(available, head)) {
    report.new_head = head.name;
    report.file_classes = available.at(head.name + ".weight").size(0);
  }
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : matching(available, model, report, file)) {
    at::Tensor(tensor).copy_(available.at(name));
    ++report.loaded;
  }
  return report;
}

std::string describe(const PretrainedReport& report, const std::filesystem::path& file) {
  std::string text = fmt::format("started from {} tensors of {}", report.loaded, file.string());
  if (report.new_head.empty()) return text;
  return text + fmt::format("; the head {} starts anew: {} classes in the file, {} in the data set", report.new_head,
                            report.file_classes, report.classes);
}

}  // namespace lockstep
