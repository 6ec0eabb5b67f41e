#include "lockstep/train/loader_bench.hpp"

#include "lockstep/core/error.hpp"
#include "lockstep/core/machine.hpp"
#include "lockstep/core/stopwatch.hpp"
#include "train/training_input.hpp"

namespace lockstep {
namespace {

/// What has been used up so far; the difference of two is what a measurement took.
struct Counters {
  PipelineCosts costs;
  double cpu_seconds = processor_seconds();
  std::optional<std::uint64_t> disk_bytes = bytes_from_storage();
};

StageCost difference(const StageCost& after, const StageCost& before) {
  return {after.seconds - before.seconds, after.bytes - before.bytes};
}

PipelineCosts difference(const PipelineCosts& after, const PipelineCosts& before) {
  return {difference(after.read, before.read), difference(after.decode, before.decode),
          difference(after.transform, before.transform), after.samples - before.samples};
}

void take(Loader& loader, LoaderFigures& figures) {
  const std::optional<Batch> batch = loader.next();
  if (!batch) throw defect("the batches ended", "measure_loader");  // an epoch follows the other
  ++figures.batches;
  figures.batch_samples += batch->images.size(0);
}

}  // namespace

LoaderFigures measure_loader(const RunConfig& config, const Manifest& manifest, int rank, int ranks, double seconds,
                             const Log& log, const std::function<void()>& start) {
  TrainingInput input(config, manifest, ranks, log);
  const std::unique_ptr<Loader> loader = input.load_from(0, rank, ranks, c10::Device(c10::kCPU));
  LoaderFigures warm_up;
  for (std::int64_t i = 0; i <= config.loader.prefetch; ++i) take(*loader, warm_up);
  start();
  const Counters before{loader->costs()};
  const Stopwatch watch;
  LoaderFigures figures;
  while (watch.seconds() < seconds) take(*loader, figures);
  figures.seconds = watch.seconds();
  const Counters after{loader->costs()};
  figures.costs = difference(after.costs, before.costs);
  figures.cpu_seconds = after.cpu_seconds - before.cpu_seconds;
  if (before.disk_bytes && after.disk_bytes) figures.disk_bytes = *after.disk_bytes - *before.disk_bytes;
  figures.threads = config.loader.threads == 0 ? config.threads : config.loader.threads;
  return figures;
}

}  // namespace lockstep
