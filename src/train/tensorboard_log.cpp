#include "train/tensorboard_log.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "lockstep/core/files.hpp"
#include "lockstep/record/hparams_plugin.hpp"
#include "lockstep/record/run_log.hpp"

namespace lockstep {
namespace {

constexpr std::string_view pictures_event = "shown_images";

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

const LogValue* find(const LogFields& fields, std::string_view name) {
  const auto found = std::ranges::find(fields, name, &LogFields::value_type::first);
  return found == fields.end() ? nullptr : &found->second;
}

std::string text_in(const LogFields& fields, std::string_view name) {
  const LogValue* value = find(fields, name);
  const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(value);
  return text == nullptr ? std::string() : *text;
}

std::int64_t step_in(const LogFields& fields) {
  const LogValue* value = find(fields, "step");
  const auto* step = value == nullptr ? nullptr : std::get_if<std::int64_t>(value);
  return step == nullptr ? 0 : *step;
}

/// The tag of a number of a line of log.jsonl: "eval_loss" is "judged/loss" wherever it stands.
std::string tag_of(const std::string& event, std::string_view name) {
  constexpr std::string_view judged = "eval_", trained = "train_";
  if (name.starts_with(judged)) return fmt::format("judged/{}", name.substr(judged.size()));
  if (name.starts_with(trained)) name.remove_prefix(trained.size());
  return fmt::format("{}/{}", event == "evaluation" ? "judged" : event, name);
}

/// The tag of the metric that decides: "macro-f1" is "judged/macro_f1".
std::string metric_tag(std::string metric, bool judged) {
  if (!judged) return "epoch/loss";
  std::ranges::replace(metric, '-', '_');
  return "judged/" + metric;
}

/// Text as Markdown that is shown as it is.
std::string as_code(const std::string& text) {
  std::string code = "    ";
  for (const char letter : text) {
    code.push_back(letter);
    if (letter == '\n') code += "    ";
  }
  return code;
}

void add(ValueHistogram& histogram, const at::Tensor& tensor) {
  at::Tensor values = tensor.detach().to(at::kCPU, at::kFloat);
  if (!values.is_non_overlapping_and_dense()) values = values.contiguous();  // else the order of values is no matter
  histogram.add({values.const_data_ptr<float>(), static_cast<std::size_t>(values.numel())});
}

}  // namespace

TensorboardLog::TensorboardLog(RunFolder folder, const LogsConfig& config)
    : folder_(std::move(folder)), config_(config), classes_(folder_.record().classes) {
  if (!std::filesystem::exists(folder_.log())) return;
  for (const auto& line : read_run_log(folder_.log(), {pictures_event})) pictures_ = ids_of(line.text("ids"));
}

std::optional<LogFields> TensorboardLog::take(const LogFields& fields) {
  const std::string event = text_in(fields, "event");
  if (event == "started" || event == "resumed") begin(fields);
  if (!events_) return std::nullopt;
  Summary summary;
  if (event == "finished") add_session_end(summary, seconds_now());
  if (event == "step" || event == "epoch" || event == "evaluation") {
    for (const auto& [name, value] : fields) {
      if (const auto* number = std::get_if<double>(&value)) summary.number(tag_of(event, name), *number);
    }
  }
  events_->write(step_in(fields), summary);
  // The line that kept the images may be one of those that this start makes void.
  if (event == "resumed" && !pictures_.empty()) return shown_images(step_in(fields));
  return std::nullopt;
}

LogFields TensorboardLog::shown_images(std::int64_t step) const {
  return {{"event", std::string(pictures_event)}, {"step", step}, {"ids", ids_text(pictures_)}};
}

void TensorboardLog::begin(const LogFields& fields) {
  const std::int64_t step = step_in(fields);
  const std::string metric = text_in(fields, "metric");
  const bool judged = metric != "training loss";
  // What was made is told up to and with the step of the checkpoint.
  events_.emplace(folder_.path(), text_in(fields, "event") == "resumed" ? step + 1 : 0);
  Summary summary;
  summary.text("config", as_code(read_file(folder_.config(), 1 << 20)));
  add_session_start(summary, folder_.options(), metric_tag(metric, judged), judged, seconds_now());
  events_->write(step, summary);
}

void TensorboardLog::show_tensors(std::int64_t epoch, std::int64_t steps, const NamedTensors& trained, bool stepped) {
  if (!events_ || config_.histogram_epochs == 0 || epoch % config_.histogram_epochs != 0) return;
  for (const auto& [name, parameter] : trained) {
    Summary summary;  // one event each: a network's in one would be megabytes
    ValueHistogram weights, gradients;
    add(weights, parameter);
    summary.histogram("weights/" + name, weights);
    if (stepped && parameter.grad().defined()) {
      add(gradients, parameter.grad());
      summary.histogram("gradients/" + name, gradients);
    }
    events_->write(steps, summary);
  }
}

std::optional<LogFields> TensorboardLog::show_judged(std::int64_t steps, const std::vector<Prediction>& predictions,
                                                     const JudgedImageSource& source) {
  if (!events_ || config_.images == 0) return std::nullopt;
  const bool chosen = !pictures_.empty();
  if (!chosen) pictures_ = choose_pictures(predictions, config_.images);
  events_->write(steps, pictures_of(pictures_, predictions, classes_, source));
  if (chosen) return std::nullopt;
  return shown_images(steps);
}

}  // namespace lockstep
