#include "lockstep/report/freeze_study.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "lockstep/core/error.hpp"
#include "lockstep/record/run_log.hpp"
#include "lockstep/report/dot_plot.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

constexpr double mebibyte = 1 << 20;

/// What the log of a run says of its epochs and judgements.
struct LoggedRun {
  std::vector<double> epoch_seconds;
  std::optional<double> accuracy;  // of the newest judgement that was the best
};

LoggedRun read_log(const std::filesystem::path& file) {
  LoggedRun found;
  for (const LogLine& line : read_run_log(file, {"epoch", "evaluation"})) {
    if (const auto seconds = line.number("train_seconds"); line.event() == "epoch" && seconds)
      found.epoch_seconds.push_back(*seconds);
    if (const auto accuracy = line.number("eval_accuracy"); line.flag("best") && accuracy) found.accuracy = accuracy;
  }
  return found;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Json json_of(const FreezeResult& result) {
  return {{"fraction", result.fraction},
          {"seed", result.seed},
          {"ranks", result.ranks},
          {"parameters", result.parameters},
          {"trained_parameters", result.trained_parameters},
          {"gradient_bytes_per_step", result.gradient_bytes},
          {"epochs", result.epochs},
          {"epoch_seconds", result.epoch_seconds},
          {"train_seconds", result.train_seconds},
          {"accuracy", result.accuracy}};
}

/// [fraction] → its results.
using ByFraction = std::map<double, std::vector<FreezeResult>>;

ByFraction by_fraction(const std::vector<FreezeResult>& results) {
  ByFraction rows;
  for (const FreezeResult& result : results) rows[result.fraction].push_back(result);
  return rows;
}

template <typename Value>
std::vector<double> each(const std::vector<FreezeResult>& results, Value value) {
  std::vector<double> values;
  for (const FreezeResult& result : results) values.push_back(static_cast<double>(result.*value));
  return values;
}

std::string accuracy_text(const std::vector<FreezeResult>& results) {
  const std::vector<double> values = each(results, &FreezeResult::accuracy);
  const Spread spread = spread_of(values);
  if (values.size() == 1) return fmt::format("{:.2f} %", 100 * spread.mean);
  const auto [least, most] = std::ranges::minmax_element(values);
  return fmt::format("{:.2f} ± {:.2f} % ({:.2f} … {:.2f})", 100 * spread.mean, 100 * spread.deviation, 100 * *least,
                     100 * *most);
}

/// Cells padded so that columns stand below one another. Widths count letters, not bytes.
std::string markdown(const std::vector<std::vector<std::string>>& rows) {
  const auto letters = [](const std::string& text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
  };
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], letters(row[i]));
  }
  std::string text;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t i = 0; i < widths.size(); ++i)
      text += fmt::format("| {}{} ", std::string(widths[i] - letters(rows[r][i]), ' '), rows[r][i]);
    text += "|\n";
    if (r > 0) continue;
    for (const std::size_t width : widths) text += fmt::format("| {}: ", std::string(width - 1, '-'));
    text += "|\n";
  }
  return text;
}

}  // namespace

std::string FreezeResult::to_json() const { return json_of(*this).dump(2) + "\n"; }

FreezeResult FreezeResult::from_json(std::string_view text, const std::string& where) {
  try {
    const Json json = Json::parse(text);
    FreezeResult result;
    json.at("fraction").get_to(result.fraction);
    json.at("seed").get_to(result.seed);
    json.at("ranks").get_to(result.ranks);
    json.at("parameters").get_to(result.parameters);
    json.at("trained_parameters").get_to(result.trained_parameters);
    json.at("gradient_bytes_per_step").get_to(result.gradient_bytes);
    json.at("epochs").get_to(result.epochs);
    json.at("epoch_seconds").get_to(result.epoch_seconds);
    json.at("train_seconds").get_to(result.train_seconds);
    json.at("accuracy").get_to(result.accuracy);
    return result;
  } catch (const nlohmann::json::exception& fault) {
    throw Error("this is no result of a freeze study", where, "remove the file: its run is looked at again");
  }
}

FreezeResult read_freeze_result(const RunFolder& run, double fraction, std::int64_t seed) {
  const RunRecord record = run.record();
  const LoggedRun logged = read_log(run.log());
  if (!logged.accuracy || logged.epoch_seconds.empty()) {
    throw Error("nothing judged this run, so there is no accuracy to compare", run.log().string(),
                "give a data set with a split for --eval-split");
  }
  std::vector<double> later = logged.epoch_seconds;
  if (later.size() > 1) later.erase(later.begin());  // the first warms up
  FreezeResult result{fraction, seed};
  result.ranks = record.ranks;
  result.parameters = record.network.parameters;
  result.trained_parameters = record.network.parameters - record.network.frozen_parameters;
  result.gradient_bytes = record.network.gradient_bytes;
  result.epochs = static_cast<std::int64_t>(logged.epoch_seconds.size());
  result.epoch_seconds = median(later);
  result.train_seconds = std::reduce(logged.epoch_seconds.begin(), logged.epoch_seconds.end());
  result.accuracy = *logged.accuracy;
  return result;
}

Spread spread_of(const std::vector<double>& values) {
  if (values.empty()) return {};
  const auto count = static_cast<double>(values.size());
  Spread spread;
  for (const double value : values) spread.mean += value / count;
  double squares = 0;
  for (const double value : values) squares += (value - spread.mean) * (value - spread.mean);
  if (values.size() > 1) spread.deviation = std::sqrt(squares / (count - 1));
  return spread;
}

std::string freeze_table(const std::vector<FreezeResult>& results) {
  std::vector<std::vector<std::string>> rows{{"frozen", "trained parameters", "gradients a step", "an epoch",
                                              "all epochs", "accuracy"}};
  for (const auto& [fraction, trials] : by_fraction(results)) {
    const FreezeResult& first = trials.front();
    rows.push_back({fmt::format("{:g}", fraction),
                    fmt::format("{} ({:.1f} %)", first.trained_parameters,
                                100.0 * static_cast<double>(first.trained_parameters) / static_cast<double>(first.parameters)),
                    fmt::format("{:.3g} MiB", static_cast<double>(first.gradient_bytes) / mebibyte),
                    fmt::format("{:.3g} s", spread_of(each(trials, &FreezeResult::epoch_seconds)).mean),
                    fmt::format("{:.3g} s", spread_of(each(trials, &FreezeResult::train_seconds)).mean),
                    accuracy_text(trials)});
  }
  return markdown(rows);
}

std::string freeze_json(const std::vector<FreezeResult>& results) {
  Json all = Json::array();
  for (const FreezeResult& result : results) all.push_back(json_of(result));
  return all.dump(2) + "\n";
}

std::string freeze_plot(const std::vector<FreezeResult>& results) {
  const std::string x = "share of the network that is frozen";
  PlotPanel accuracy{"validation accuracy, %", x, {}, false}, seconds{"training time of an epoch, s", x, {}, true},
      bytes{"gradients exchanged a step, MiB", x, {}, true};
  for (const FreezeResult& result : results) {
    accuracy.dots.push_back({result.fraction, 100 * result.accuracy});
    seconds.dots.push_back({result.fraction, result.epoch_seconds});
    bytes.dots.push_back({result.fraction, static_cast<double>(result.gradient_bytes) / mebibyte});
  }
  return dot_plot("What freezing brings and costs", {accuracy, seconds, bytes});
}

}  // namespace lockstep
