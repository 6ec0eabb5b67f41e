#include <nlohmann/json.hpp>

#include "lockstep/core/json_text.hpp"
#include "lockstep/evaluate/full_metrics.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

Json number_or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

/// `area`: what the one area under a ROC curve is called there.
Json averages_json(const Averages& averages, bool ranked, const char* area) {
  Json json{{"precision", averages.precision}, {"recall", averages.recall}, {"f1", averages.f1}};
  if (!ranked) return json;
  json[area] = number_or_null(averages.auc);
  json["average_precision"] = number_or_null(averages.average_precision);
  return json;
}

/// Bins as columns, which take a line each.
Json calibration_json(const Calibration& calibration) {
  Json low = Json::array(), high = low, samples = low, confidence = low, accuracy = low;
  for (const ReliabilityBin& bin : calibration.bins) {
    low.push_back(bin.low);
    high.push_back(bin.high);
    samples.push_back(bin.samples);
    confidence.push_back(bin.samples > 0 ? Json(bin.confidence) : Json(nullptr));
    accuracy.push_back(bin.samples > 0 ? Json(bin.accuracy) : Json(nullptr));
  }
  return {{"expected_error", calibration.expected_error},
          {"largest_error", calibration.largest_error},
          {"reliability",
           {{"above", low}, {"to", high}, {"samples", samples}, {"confidence", confidence}, {"accuracy", accuracy}}}};
}

Json rescaled_json(const Rescaled& rescaled) {
  Json json{{"fitted_on", rescaled.fitted_on},
            {"samples", rescaled.fit_samples},
            {"temperature", number_or_null(rescaled.fit.temperature)}};
  if (!rescaled.fit.temperature) {
    json["why_none"] = rescaled.fit.why_none;
    return json;
  }
  json["loss"] = rescaled.loss;
  json["log_loss"] = rescaled.log_loss;
  json["calibration"] = calibration_json(rescaled.calibration);
  return json;
}

Json intervals_json(const MetricIntervals& intervals) {
  Json json{{"level", intervals.settings.level},
            {"resamples", intervals.settings.resamples},
            {"seed", intervals.settings.seed}};
  const auto add = [&](const char* name, const std::optional<ConfidenceInterval>& interval) {
    json[name] = interval ? Json{interval->low, interval->high} : Json(nullptr);
  };
  if (intervals.loss) add("loss", intervals.loss);
  add("accuracy", intervals.accuracy);
  if (intervals.top5) add("top5_accuracy", intervals.top5);
  add("balanced_accuracy", intervals.balanced_accuracy);
  add("cohen_kappa", intervals.kappa);
  add("matthews_correlation", intervals.matthews);
  add("macro_f1", intervals.macro_f1);
  return json;
}

Json roc_json(const Curve& curve) {
  if (curve.x.empty()) return nullptr;
  Json json{{"false_positive_rate", curve.x}, {"true_positive_rate", curve.y}};
  if (!curve.thresholds.empty()) json["threshold"] = curve.thresholds;
  return json;
}

Json curves_json(const ClassCurves& curves) {
  Json precision_recall;
  if (!curves.precision_recall.x.empty()) {
    precision_recall = {{"recall", curves.precision_recall.x},
                        {"precision", curves.precision_recall.y},
                        {"threshold", curves.precision_recall.thresholds}};
  }
  return {{"roc", roc_json(curves.roc)}, {"precision_recall", precision_recall}};
}

Json all_curves_json(const Metrics& metrics, const std::vector<std::string>& class_names) {
  Json json{{"micro", curves_json(metrics.micro_curves)}, {"macro", {{"roc", roc_json(metrics.macro_roc)}}}};
  json["classes"] = Json::array();
  for (std::size_t c = 0; c < metrics.curves.size(); ++c) {
    Json of_class{{"name", class_names[c]}};
    of_class.update(curves_json(metrics.curves[c]));
    json["classes"].push_back(of_class);
  }
  return json;
}

Json classes_json(const Metrics& metrics, const std::vector<std::string>& class_names) {
  Json json = Json::array();
  for (std::size_t c = 0; c < metrics.classes.size(); ++c) {
    const ClassMetrics& m = metrics.classes[c];
    Json of_class{{"name", class_names[c]},
                  {"support", m.support},
                  {"precision", m.precision},
                  {"recall", m.recall},
                  {"f1", m.f1}};
    if (metrics.ranked) {
      of_class["auc"] = number_or_null(m.auc);
      of_class["average_precision"] = number_or_null(m.average_precision);
    }
    json.push_back(of_class);
  }
  return json;
}

Json json_of(const Metrics& metrics, const std::vector<std::string>& class_names) {
  Json json{{"samples", metrics.samples}};
  if (metrics.scored) {
    json["loss"] = metrics.loss;
    json["log_loss"] = metrics.log_loss;
  }
  json["accuracy"] = metrics.accuracy;
  if (metrics.scored) json["top5_accuracy"] = metrics.top5;
  json["balanced_accuracy"] = metrics.balanced_accuracy;
  json["cohen_kappa"] = number_or_null(metrics.kappa);
  json["matthews_correlation"] = metrics.matthews;
  json["macro"] = averages_json(metrics.macro, metrics.ranked, "auc_one_vs_rest");
  json["weighted"] = averages_json(metrics.weighted, metrics.ranked, "auc_one_vs_rest");
  json["micro"] = averages_json(metrics.micro, metrics.ranked, "auc");
  if (metrics.calibration) json["calibration"] = calibration_json(*metrics.calibration);
  if (metrics.rescaled) json["temperature_scaling"] = rescaled_json(*metrics.rescaled);
  if (metrics.intervals) json["intervals"] = intervals_json(*metrics.intervals);
  if (!metrics.notes.empty()) json["notes"] = metrics.notes;
  json["classes"] = classes_json(metrics, class_names);
  json["confusion_matrix"] = metrics.confusion;
  if (!metrics.curves.empty()) json["curves"] = all_curves_json(metrics, class_names);
  return json;
}

}  // namespace

std::string metrics_json(const Metrics& metrics, const std::vector<std::string>& class_names, const Judged& judged,
                         std::string_view before, std::string_view more) {
  Json json{{"weights", judged.weights}};
  json.update(json_of(metrics, class_names));
  if (!more.empty()) json.update(Json::parse(more));
  auto file = Json::parse(before, nullptr, false);
  if (!file.is_object() || !file.contains("splits") || !file["splits"].is_object())
    file = {{"format_version", 1}, {"splits", Json::object()}};
  file["splits"][judged.split] = json;
  return json_text(file) + "\n";
}

std::string metrics_object(const Metrics& metrics, const std::vector<std::string>& class_names) {
  return json_of(metrics, class_names).dump();
}

}  // namespace lockstep
