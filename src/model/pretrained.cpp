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

/// Of a head that the file lacks: itself, or the whole part of the network it ends, where the file has nothing of that.
std::string absent_part(const Tensors& file, const std::string& head) {
  const std::string part = head.substr(0, head.find('.'));
  const bool has_some =
      std::any_of(file.begin(), file.end(), [&](const auto& pair) { return pair.first.starts_with(part + "."); });
  return has_some ? head : part;
}

/// The first convolution's shape alone tells for how many channels a network is. One channel takes the sum of three.
void fit_channels(Tensors& file, const Model& model, PretrainedReport& report, const std::filesystem::path& path) {
  const auto parameters = model.named_parameters();
  const at::Tensor& first = parameters.front().value();
  const auto found = file.find(parameters.front().key());
  if (found == file.end() || first.dim() != 4 || found->second.dim() != 4) return;
  const std::int64_t has = found->second.size(1), wants = first.size(1);
  std::vector<std::int64_t> otherwise = found->second.sizes().vec();
  otherwise[1] = wants;
  if (has == wants || at::IntArrayRef(otherwise) != first.sizes()) return;
  if (has == 3 && wants == 1) {
    found->second = found->second.to(at::kFloat).sum(1, true);
    report.summed_channels = has;
    return;
  }
  throw Error(fmt::format("the weights are for images of {} channel{}, the data set's have {}", has,
                          has == 1 ? "" : "s", wants),
              path.string(), fmt::format("pack the data set with --channels {}", has));
}

/// Which heads the file has nothing for. A file that has none of the model's names is of another model.
void find_new_heads(const Tensors& file, const Model& model, PretrainedReport& report) {
  for (const std::string& head : model.heads()) {
    const at::Tensor weight = find(file, head + ".weight"), bias = find(file, head + ".bias");
    if (is_for_other_classes(file, model, head)) report.new_heads.push_back(head);
    if (!weight.defined() && !bias.defined()) report.absent.push_back(absent_part(file, head));
  }
  const at::Tensor last = find(file, model.heads().back() + ".weight");
  report.classes = model.named_parameters()[model.heads().back() + ".weight"].size(0);
  report.file_classes = last.defined() && last.dim() > 0 ? last.size(0) : 0;
}

bool may_be_absent(const std::string& name) { return name.ends_with(step_counter); }

bool is_left_out(const Model& model, std::string_view name) {
  return std::any_of(model.left_out().begin(), model.left_out().end(),
                     [name](const std::string& module) { return name.starts_with(module + "."); });
}

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
      if (!may_be_absent(name) && !is_head) faults.missing.push_back(name);
      continue;
    }
    if (!is_head && found->second.sizes() != tensor.sizes()) {
      faults.add_shape(name, found->second.sizes(), tensor.sizes());
    } else if (!is_head) {
      into[name] = tensor;
    }
    rest.erase(found);
  }
  for (const auto& [name, tensor] : rest) {
    if (!is_left_out(model, name)) faults.unexpected.push_back(name);
  }
  if (faults.any()) faults.raise(path);
  return into;
}

}  // namespace

PretrainedReport start_from(const WeightFile& weights, Model& model, const std::filesystem::path& file) {
  require_finite_weights(weights, file);
  Tensors available(weights.tensors.begin(), weights.tensors.end());
  PretrainedReport report;
  report.notes = weights.notes;
  fit_channels(available, model, report, file);
  find_new_heads(available, model, report);
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : matching(available, model, report, file)) {
    at::Tensor(tensor).copy_(available.at(name));
    ++report.loaded;
  }
  return report;
}

bool PretrainedReport::starts_anew(std::string_view name) const {
  const auto owns = [name](const std::string& part) {
    return name.starts_with(part) && name.substr(part.size()).starts_with('.');
  };
  return std::any_of(new_heads.begin(), new_heads.end(), owns) || std::any_of(absent.begin(), absent.end(), owns);
}

std::string describe(const PretrainedReport& report, const std::filesystem::path& file) {
  std::string text = fmt::format("started from {} tensors of {}", report.loaded, file.string());
  if (!report.new_heads.empty())
    text += fmt::format("; the head{} {} start{} anew: {} classes in the file, {} in the data set",
                        report.new_heads.size() == 1 ? "" : "s", fmt::join(report.new_heads, ", "),
                        report.new_heads.size() == 1 ? "s" : "", report.file_classes, report.classes);
  if (!report.absent.empty())
    text += fmt::format("; not in the file, so starting anew: {}", fmt::join(report.absent, ", "));
  if (report.summed_channels > 0)
    text += fmt::format("; the first layer's {} channels are summed for grey images", report.summed_channels);
  for (const std::string& note : report.notes) text += "; " + note;
  return text;
}

}  // namespace lockstep
