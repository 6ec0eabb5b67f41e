// Whether a data set had better keep pixels or JPEG files: --store auto, measured on a sample of its images.
//
// The sample is up to 64 images, evenly spaced over the plan, encoded and decoded one by one on this machine. Then, the
// first that applies:
//   jpeg  if raw images do not fit into the free space of the output's disk;
//   raw   if they fit into half of this machine's memory: after the first epoch they are read from there, and decoding
//         would cost its time in every epoch;
//   else  what takes less time per image: reading its raw bytes, or reading its JPEG bytes and decoding them on this
//         process's cores, from a disk or a network of 500 MB/s (an assumption: what a node of a cluster often gets).
// Called by rank 0 alone, which tells the others. Times enter the choice alone, nothing that is stored.
#pragma once
#include <cstdint>
#include <string>

#include "preprocess/plan.hpp"
#include "preprocess/source.hpp"

namespace lockstep::preprocess {

/// What the sample showed; all per image.
struct StoreCosts {
  std::int64_t images = 0;  ///< of the whole data set
  double raw_bytes = 0, jpeg_bytes = 0;
  double decode_seconds = 0;  ///< of one JPEG file on one core
};

/// What the machine offers.
struct StoreMeans {
  double free_disk_bytes = 0, memory_bytes = 0;
  std::int64_t cores = 1;
};

struct StoreChoice {
  Store store = Store::raw;
  std::string reason;  ///< one sentence with the figures
};

/// Errors: none of the sampled images can be decoded.
StoreCosts measure_store_costs(const Source& source, const Plan& plan, const PackSettings& settings);
StoreMeans store_means(const std::filesystem::path& output, std::int64_t cores);
/// A pure function.
StoreChoice choose_store(const StoreCosts& costs, const StoreMeans& means);

}  // namespace lockstep::preprocess
