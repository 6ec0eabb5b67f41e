// MNIST's IDX files, plain or gzipped: pairs of images and labels under the names their authors gave them,
//
//   train-images-idx3-ubyte[.gz]  train-labels-idx1-ubyte[.gz]   the split "train"
//   t10k-images-idx3-ubyte[.gz]   t10k-labels-idx1-ubyte[.gz]    the split "test", if there
//
// also with "." before "idx". Classes are named by their number, 0 to the largest label.
// Format (yann.lecun.com/exdb/mnist): big-endian 32-bit magic 0x00000803 or 0x00000801, one 32-bit size per axis,
// bytes. Errors: no such pair, wrong magic or element type, cut short, longer than declared, a damaged gzip, different
// counts of images and labels, files of different image sizes, images of more pixels than are accepted. Memory: all
// images, 47 MB for Fashion-MNIST.
#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "preprocess/source.hpp"

namespace lockstep::preprocess {

/// One IDX file of unsigned bytes.
struct IdxArray {
  std::vector<std::int64_t> shape;  ///< first axis: items
  std::vector<std::uint8_t> values;
};

/// Reads a file with `axes` axes.
IdxArray read_idx(const std::filesystem::path& file, std::size_t axes);

class IdxSource : public Source {
 public:
  /// `most_pixels`: see PackSettings.
  explicit IdxSource(const std::filesystem::path& folder, std::int64_t most_pixels = usual_most_pixels);

  Listing list() override;
  Picture picture(std::int64_t id, const Candidate& candidate, const PictureRequest& request) const override;
  std::filesystem::path file_of(std::int64_t id, const Candidate& candidate) const override;
  SourceBytes bytes_of(std::int64_t id, const Candidate& candidate, BytesWanted wanted) const override;

 private:
  struct Part {
    std::string name;
    SharedText split;
    std::filesystem::path file;        // of the images
    IdxArray images;                   // [n, height, width]
    std::vector<std::uint8_t> labels;  // [n]
  };
  void add_part(const std::filesystem::path& folder, const std::string& name, const std::string& split, bool required);

  /// The part of image `id`, which becomes its number within.
  const Part& part_of(std::int64_t& id) const;
  std::span<const std::uint8_t> pixels_of(std::int64_t id) const;

  const std::int64_t most_pixels_;
  std::vector<Part> parts_;
};

}  // namespace lockstep::preprocess
