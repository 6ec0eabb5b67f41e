// What a measurement of the loader means: which stage limits it, and what would change that, by how much.
//
// Gains are computed from the measured times of the stages, as images/s after ÷ images/s before, and are upper bounds
// where the text says "up to". Pure functions of values; thread-safe.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lockstep/data/manifest.hpp"
#include "lockstep/data/sample_pipeline.hpp"

namespace lockstep {

/// One rank's figures, or the sum over ranks that ran beside each other.
struct LoaderFigures {
  double seconds = 0;      ///< wall time; of the slowest rank
  double cpu_seconds = 0;  ///< of all threads of the processes
  std::int64_t ranks = 1, threads = 0;
  std::int64_t batches = 0, batch_samples = 0;  ///< handed out, and their samples
  PipelineCosts costs;                          ///< seconds of threads, added up
  std::optional<std::uint64_t> disk_bytes;      ///< that came from a disk, not from memory; unknown on some systems

  void add(const LoaderFigures& other);
  double images_per_second() const { return static_cast<double>(batch_samples) / seconds; }
  /// Of the threads' time: 0 … 1, what they waited for room to prepare more.
  double waiting() const;
  /// A stage's share of the threads' time.
  double share(const StageCost& stage) const;
};

/// What the measurement ran with.
struct LoaderSetting {
  Store store = Store::raw;
  ImageShape stored;
  std::int64_t prefetch = 0, cores = 0;  ///< cores that all the ranks may use together
};

enum class LoaderLimit { reading, decoding, transforming, waiting };
std::string_view name_of(LoaderLimit limit);

struct LoaderAdvice {
  std::string text;
  double gain = 1;
};

struct LoaderReport {
  LoaderFigures figures;
  LoaderLimit limit = LoaderLimit::transforming;
  std::vector<LoaderAdvice> advice;  ///< the largest gain first
};

LoaderReport judge(const LoaderFigures& figures, const LoaderSetting& setting);
/// For people.
std::string table_of(const LoaderReport& report);
/// One JSON object: the same figures, limit and advice.
std::string json_of(const LoaderReport& report);

/// Figures as text that of_text() reads back: what ranks tell each other.
std::string to_text(const LoaderFigures& figures);
LoaderFigures of_text(const std::string& text);

}  // namespace lockstep
