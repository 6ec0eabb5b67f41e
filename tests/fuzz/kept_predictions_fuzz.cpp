// predictions.h5: any bytes are predictions of which every metric can be computed, or an Error.
#include <cmath>
#include <nlohmann/json.hpp>

#include "fuzz/target.hpp"
#include "lockstep/evaluate/full_metrics.hpp"
#include "lockstep/evaluate/kept_predictions.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  static const fuzz::Folder folder;
  const std::filesystem::path file = folder.write("predictions.h5", {data, size});
  return fuzz::run([&] {
    const KeptPredictions kept = read_predictions(file);
    for (const SplitPredictions& split : kept.splits) {
      const Metrics metrics = full_metrics(split.judged(), kept.classes, {15, {2, 0, 0.95}});
      if (!std::isfinite(metrics.loss) || !std::isfinite(metrics.log_loss) || !std::isfinite(metrics.matthews))
        std::abort();
      const Rescaled rescaled = rescale(split.judged(), split.scores, "itself", split.scores, split.labels, 15);
      if (rescaled.fit.temperature && !std::isfinite(rescaled.loss)) std::abort();
      if (!nlohmann::json::accept(metrics_json(metrics, kept.classes, {split.split, split.weights}))) std::abort();
    }
  });
}
