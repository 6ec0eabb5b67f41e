#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lockstep/report/run_tree.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

constexpr double maybe_running_seconds = 600;  // since the last line of the log

std::string_view name_of(RunState state) {
  switch (state) {
    case RunState::damaged:
      return "damaged";
    case RunState::stopped:
      return "stopped";
    case RunState::failed:
      return "failed";
    case RunState::finished:
      return "finished";
    case RunState::unfinished:
      break;
  }
  return "unfinished";
}

std::string age_text(double seconds) {
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.0f} min", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{:.0f} h", seconds / 3600);
  return fmt::format("{:.0f} days", seconds / 86400);
}

std::string state_text(const RunOverview& run) {
  const std::string state(name_of(run.state));
  if (run.state == RunState::finished)
    return run.reason.empty() || run.reason.starts_with("all") ? state : state + ": " + run.reason;
  if (run.state == RunState::unfinished) {
    return fmt::format("{}, silent for {}", run.idle_seconds < maybe_running_seconds ? "running or killed" : "killed",
                       age_text(run.idle_seconds));
  }
  return run.reason.empty() ? state : state + ": " + run.reason;
}

/// Shares as per cent; losses and coefficients as they are.
bool is_share(const std::string& metric) { return !metric.ends_with("loss") && metric != "kappa" && metric != "mcc"; }

std::string value_text(const RunOverview& run) {
  if (!run.best) return "not judged";
  return is_share(run.metric) ? fmt::format("{} {:.2f} %", run.metric, 100 * *run.best)
                              : fmt::format("{} {:.4f}", run.metric, *run.best);
}

std::string gain_text(const Gain& gain, const std::string& metric) {
  const auto number = [&](double value) {
    return is_share(metric) ? fmt::format("{:+.2f}", 100 * value) : fmt::format("{:+.4f}", value);
  };
  std::string text = number(gain.value);
  if (is_share(metric)) text += " points";
  if (gain.low) text += fmt::format(" ({} … {})", number(*gain.low), number(*gain.high));
  if (gain.p) text += fmt::format(", McNemar p = {:.3g}", *gain.p);
  if (gain.significant) text += *gain.significant ? ", more than chance" : ", may be chance";
  return text;
}

std::string changes_text(const ParentRecord& parent) {
  std::vector<std::string> texts;
  for (const auto& [option, before, now] : parent.changes)
    texts.push_back(fmt::format("{} {} → {}", option, before, now));
  return texts.empty() ? "nothing" : fmt::format("{}", fmt::join(texts, ", "));
}

/// Letters, not bytes: what UTF-8 goes on with is not counted.
std::size_t letters(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string indented_name(const RunOverview& run) {
  return run.depth == 0 ? run.name : std::string(static_cast<std::size_t>(2 * run.depth - 2), ' ') + "└ " + run.name;
}

void add_family_lines(std::string& text, const RunOverview& run) {
  if (!run.parent) return;
  const std::string margin(static_cast<std::size_t>(2 * run.depth + 2), ' ');
  text += fmt::format("{}changed: {}\n", margin, changes_text(*run.parent));
  if (run.gain) text += fmt::format("{}gain: {}\n", margin, gain_text(*run.gain, run.metric));
  if (!run.parent_index) text += fmt::format("{}its parent is not here: {}\n", margin, run.parent->run);
  if (run.parent_went_on) text += fmt::format("{}its parent has other weights by now\n", margin);
}

Json json_of(const Gain& gain) {
  Json json{{"value", gain.value}, {"samples", gain.samples}};
  if (gain.low) json["interval_95"] = {*gain.low, *gain.high};
  if (gain.p) json["mcnemar_p"] = *gain.p;
  if (gain.significant) json["significant"] = *gain.significant;
  return json;
}

Json json_of(const RunOverview& run, const std::vector<RunOverview>& runs) {
  Json json{{"run", run.folder.string()}, {"state", name_of(run.state)}, {"reason", run.reason}};
  if (run.state == RunState::damaged) return json;
  json["epochs"] = run.epochs;
  json["planned_epochs"] = run.planned_epochs;
  json["metric"] = run.metric;
  json["best_value"] = run.best ? Json(*run.best) : Json();
  json["best_epoch"] = run.best_epoch;
  json["judged_samples"] = run.judged_samples;
  json["seconds_since_last_line"] = run.idle_seconds;
  if (!run.parent) return json;
  Json changes = Json::array();
  for (const auto& [option, before, now] : run.parent->changes)
    changes.push_back({{"option", option}, {"before", before}, {"now", now}});
  json["parent"] = run.parent_index ? runs[*run.parent_index].folder.string() : run.parent->run;
  json["parent_is_here"] = run.parent_index.has_value();
  json["parent_went_on"] = run.parent_went_on;
  json["from_weights"] = run.parent->weights;
  json["changes"] = changes;
  json["gain"] = run.gain ? json_of(*run.gain) : Json();
  return json;
}

}  // namespace

std::string runs_table(const std::vector<RunOverview>& runs) {
  if (runs.empty()) return "no runs\n";
  std::size_t widest_name = 0, widest_value = 0;
  for (const RunOverview& run : runs) {
    widest_name = std::max(widest_name, letters(indented_name(run)));
    widest_value = std::max(widest_value, letters(value_text(run)));
  }
  std::string text;
  for (const RunOverview& run : runs) {
    const std::string name = indented_name(run), value = run.state == RunState::damaged ? "" : value_text(run);
    const std::string epochs =
        run.state == RunState::damaged ? "" : fmt::format("epoch {}/{}", run.epochs, run.planned_epochs);
    text += fmt::format("{}{}  {:<13}  {}{}  {}\n", name, std::string(widest_name - letters(name), ' '), epochs, value,
                        std::string(widest_value - std::min(widest_value, letters(value)), ' '), state_text(run));
    add_family_lines(text, run);
  }
  return text;
}

std::string runs_json(const std::vector<RunOverview>& runs) {
  Json all = Json::array();
  for (const RunOverview& run : runs) all.push_back(json_of(run, runs));
  return all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";  // a folder's name may be no UTF-8
}

}  // namespace lockstep
