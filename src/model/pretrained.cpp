#include "lockstep/model/pretrained.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "lockstep/core/error.hpp"
#include "lockstep/weights/weight_faults.hpp"

namespace lockstep {
namespace {

using Tensors = std::map<std::string, at::Tensor>;

constexpr std::string_view step_counter = "num_batches_tracked";

at::Tensor find(const Tensors& tensors, const std::string& name) {
  const auto found = tensors.find(name);
  return found == tensors.end() ? at::Tensor() : found->second;
}

/// Whether the file's head takes the same features to another number of classes. Then it says nothing of ours.
bool is_for_other_classes(const Tensors& file, const Model& model, const std::string& head) {
  const at::Tensor weight = find(file, head + ".weight"), bias = find(file, head + ".bias");
  const at::Tensor mine = model.named_parameters()[head + ".weight"];
  return weight.defined() && bias.defined() && bias.dim() == 1 && weight.dim() == mine.dim() &&
         weight.sizes().slice(1) == mine.sizes().slice(1) && weight.size(0) == bias.size(0) &&
         weight.size(0) != mine.size(0);
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
    const bool is_head = report.starts_anew(name);
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
  const std::string last = model.heads().back() + ".weight";
  report.classes = report.file_classes = model.named_parameters()[last].size(0);
  for (const std::string& head : model.heads()) {
    if (is_for_other_classes(available, model, head)) report.new_heads.push_back(head);
  }
  if (!report.new_heads.empty()) report.file_classes = available.at(report.new_heads.back() + ".weight").size(0);
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : matching(available, model, report, file)) {
    at::Tensor(tensor).copy_(available.at(name));
    ++report.loaded;
  }
  return report;
}

bool PretrainedReport::starts_anew(std::string_view name) const {
  return std::any_of(new_heads.begin(), new_heads.end(), [name](const std::string& head) {
    return name.starts_with(head) && name.substr(head.size()).starts_with('.');
  });
}

std::string describe(const PretrainedReport& report, const std::filesystem::path& file) {
  std::string text = fmt::format("started from {} tensors of {}", report.loaded, file.string());
  if (report.new_heads.empty()) return text;
  return text + fmt::format("; the head{} {} start{} anew: {} classes in the file, {} in the data set",
                            report.new_heads.size() == 1 ? "" : "s", fmt::join(report.new_heads, ", "),
                            report.new_heads.size() == 1 ? "s" : "", report.file_classes, report.classes);
}

}  // namespace lockstep
