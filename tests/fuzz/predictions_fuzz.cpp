// Files of predictions: any text must be compared with labels or be refused; what is compared has a place for each row.
#include <cmath>

#include "fuzz/target.hpp"
#include "lockstep/evaluate/compare_predictions.hpp"
#include "lockstep/evaluate/full_metrics.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  return fuzz::run([&] {
    const CsvTable table = parse_csv(fuzz::text_of({data, size}), "fuzz.csv");
    const PredictionTable predictions = predictions_of(table);
    std::string labels = "id,label\n";
    for (const PredictionRow& row : predictions.rows) labels += csv_field(row.id) + "," + csv_field(row.label) + "\n";
    const ComparedPredictions found = compare_predictions(predictions, parse_csv(labels, "labels.csv"), {});
    const Metrics metrics = full_metrics(found.samples, found.classes, {15, {2, 0, 0.95}});
    if (metrics.samples != std::ssize(predictions.rows)) std::abort();
    if (metrics.accuracy != 1) std::abort();
    for (const double value : {metrics.loss, metrics.log_loss, metrics.matthews, metrics.macro.f1})
      if (!std::isfinite(value)) std::abort();
    format_metrics(metrics, found.classes);
  });
}
