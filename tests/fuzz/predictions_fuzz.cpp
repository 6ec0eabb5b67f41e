// Files of predictions: any text must be compared with labels or be refused; what is compared has a place for each row.
#include "fuzz/target.hpp"
#include "lockstep/evaluate/compare_predictions.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  return fuzz::run([&] {
    const CsvTable table = parse_csv(fuzz::text_of({data, size}), "fuzz.csv");
    const PredictionTable predictions = predictions_of(table);
    std::string labels = "id,label\n";
    for (const PredictionRow& row : predictions.rows) labels += csv_field(row.id) + "," + csv_field(row.label) + "\n";
    const ComparedPredictions found = compare_predictions(predictions, parse_csv(labels, "labels.csv"), {});
    if (found.metrics.samples != std::ssize(predictions.rows)) std::abort();
    if (found.metrics.accuracy != 1) std::abort();
  });
}
