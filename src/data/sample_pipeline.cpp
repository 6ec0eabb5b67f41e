#include "lockstep/data/sample_pipeline.hpp"

#include "lockstep/core/error.hpp"
#include "lockstep/core/stopwatch.hpp"

namespace lockstep {
namespace {

StageCost& operator+=(StageCost& sum, const StageCost& other) {
  sum.seconds += other.seconds;
  sum.bytes += other.bytes;
  return sum;
}

/// Memory that only grows: making it smaller and larger again would clear it each time.
std::span<std::uint8_t> room(std::vector<std::uint8_t>& bytes, std::size_t wanted) {
  if (bytes.size() < wanted) bytes.resize(wanted);
  return std::span(bytes).first(wanted);
}

void reduce(CropBox& crop, int reduction) {
  crop.top /= reduction;
  crop.left /= reduction;
  crop.height /= reduction;
  crop.width /= reduction;
}

ImageShape reduced(const ImageShape& shape, int reduction) {
  return {(shape.height + reduction - 1) / reduction, (shape.width + reduction - 1) / reduction, shape.channels};
}

}  // namespace

PipelineCosts& PipelineCosts::operator+=(const PipelineCosts& other) {
  read += other.read;
  decode += other.decode;
  transform += other.transform;
  samples += other.samples;
  return *this;
}

SamplePipeline::SamplePipeline(const StoredSamples& samples, const ImageTransform& transform)
    : samples_(samples), transform_(transform) {}

PixelView SamplePipeline::read_rows(std::int64_t position, const CropBox& crop, Scratch& scratch) const {
  const ImageShape shape = samples_.shape();
  const PixelBox needed = pixels_of(crop, shape);
  const std::int64_t line = shape.width * shape.channels;
  const auto rows = room(scratch.bytes, static_cast<std::size_t>(needed.height * line));
  const TimedSpan timed(scratch.costs.read.seconds);
  samples_.read(position, rows, static_cast<std::uint64_t>(needed.top * line));
  scratch.costs.read.bytes += rows.size();
  return {rows.data(), {needed.top, 0, needed.height, shape.width}};
}

/// Leaves in `crop` the crop of what was decoded, which may be a reduced image.
PixelView SamplePipeline::decode(std::int64_t position, CropBox& crop, Scratch& scratch) const {
  const ImageShape shape = samples_.shape();
  const auto file = room(scratch.bytes, samples_.stored_bytes(position));
  {
    const TimedSpan timed(scratch.costs.read.seconds);
    samples_.read(position, file);
    scratch.costs.read.bytes += file.size();
  }
  const int reduction = jpeg_reduction(crop, transform_.side());
  reduce(crop, reduction);
  const TimedSpan timed(scratch.costs.decode.seconds);
  try {
    const PixelView view = scratch.jpeg.decode(file, shape, pixels_of(crop, reduced(shape, reduction)), reduction);
    scratch.costs.decode.bytes += static_cast<std::uint64_t>(view.box.height * view.box.width * shape.channels);
    return view;
  } catch (const JpegFault& fault) {
    throw Error(std::string("the stored JPEG cannot be decoded: ") + fault.what(), samples_.whereabouts(position),
                "the shard is damaged: copy the data set again, or pack it again");
  }
}

template <typename T>
void SamplePipeline::fill_slot(std::int64_t position, const Augmentation& augmentation, std::span<T> slot,
                               Scratch& scratch) const {
  Augmentation seen = augmentation;
  const PixelView view =
      samples_.store() == Store::raw ? read_rows(position, seen.crop, scratch) : decode(position, seen.crop, scratch);
  const TimedSpan timed(scratch.costs.transform.seconds);
  transform_.apply(view, seen, slot, scratch.transform);
  scratch.costs.transform.bytes += slot.size_bytes();
  ++scratch.costs.samples;
}

void SamplePipeline::fill(std::int64_t position, const Augmentation& augmentation, std::span<float> slot,
                          Scratch& scratch) const {
  fill_slot(position, augmentation, slot, scratch);
}

void SamplePipeline::fill(std::int64_t position, const Augmentation& augmentation, std::span<std::uint8_t> slot,
                          Scratch& scratch) const {
  fill_slot(position, augmentation, slot, scratch);
}

}  // namespace lockstep
