// The loader of a training run measured by itself: batches are taken as fast as they come and dropped.
//
// It is the run's own input: the same order, draws, threads and memory. The first batches (page faults, the first
// reads) are not counted. Called by the main thread of each rank; ranks that call it together share cores and disk as
// in a run. Errors: those of TrainingInput and of the loader.
#pragma once
#include <functional>

#include "lockstep/config/run_config.hpp"
#include "lockstep/core/log.hpp"
#include "lockstep/data/loader_report.hpp"

namespace lockstep {

/// `config`: loader, batch, seed and threads count. `start` is called when the first batches have come: for a barrier.
LoaderFigures measure_loader(const RunConfig& config, const Manifest& manifest, int rank, int ranks, double seconds,
                             const Log& log, const std::function<void()>& start);

}  // namespace lockstep
