// From a sample's position to its slot of the batch: read what the crop needs, decode it, transform it.
//
// Raw samples: only the crop's rows are read, into memory of the thread that is small enough to stay in its cache. JPEG
// samples: the file is read whole, and only what the crop needs is decoded, reduced where the crop is at least twice
// the output. Any number of threads fill slots at once, each with a Scratch of its own, which also counts what each
// stage has cost. The samples and the transform must outlive the pipeline. Errors: those of the samples; a JPEG that is
// damaged, or not of the data set's shape, is named with the place of its sample.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "lockstep/data/image_transform.hpp"
#include "lockstep/data/jpeg_decoder.hpp"
#include "lockstep/data/stored_samples.hpp"

namespace lockstep {

/// What a stage has cost so far.
struct StageCost {
  double seconds = 0;
  std::uint64_t bytes = 0;  ///< that it gave on: stored bytes, decoded pixels, or the slot's
};

struct PipelineCosts {
  StageCost read, decode, transform;  ///< decode: none for raw samples
  std::int64_t samples = 0;
  PipelineCosts& operator+=(const PipelineCosts& other);
};

class SamplePipeline {
 public:
  struct Scratch {
    ImageTransform::Scratch transform;
    JpegDecoder jpeg;
    std::vector<std::uint8_t> bytes;
    PipelineCosts costs;
  };

  SamplePipeline(const StoredSamples& samples, const ImageTransform& transform);

  /// `slot`: transform.slot_size() elements; float32 normalised or uint8 as ImageTransform makes them.
  void fill(std::int64_t position, const Augmentation& augmentation, std::span<float> slot, Scratch& scratch) const;
  void fill(std::int64_t position, const Augmentation& augmentation, std::span<std::uint8_t> slot,
            Scratch& scratch) const;

 private:
  template <typename T>
  void fill_slot(std::int64_t position, const Augmentation& augmentation, std::span<T> slot, Scratch& scratch) const;
  PixelView read_rows(std::int64_t position, const CropBox& crop, Scratch& scratch) const;
  PixelView decode(std::int64_t position, CropBox& crop, Scratch& scratch) const;

  const StoredSamples& samples_;
  const ImageTransform& transform_;
};

}  // namespace lockstep
