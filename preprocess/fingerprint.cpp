#include "preprocess/fingerprint.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "lockstep/core/digest.hpp"

namespace lockstep::preprocess {
namespace {

constexpr std::size_t cells = 32;        // per axis
constexpr std::size_t frequencies = 16;  // per axis, of which the lower half is looked up by
constexpr std::size_t half = frequencies / 2;

using Cells = std::array<std::array<float, cells>, cells>;  // [y][x], grey levels

/// [position][frequency]: the cosines of the transform, rounded to what every machine's library agrees on.
using Cosines = std::array<std::array<float, frequencies>, cells>;

Cosines make_cosines() {
  constexpr double steps = 16384;
  Cosines table;
  for (std::size_t x = 0; x < cells; ++x) {
    for (std::size_t u = 0; u < frequencies; ++u) {
      const double angle =
          std::numbers::pi * (2.0 * static_cast<double>(x) + 1.0) * static_cast<double>(u) / (2 * cells);
      table[x][u] = static_cast<float>(std::round(std::cos(angle) * steps) / steps);
    }
  }
  return table;
}

struct Stretch {
  std::size_t begin, end;
};

/// The pixels of cell `index` on an axis; neighbouring cells share pixels where there are fewer than cells.
Stretch stretch_of(std::size_t index, std::size_t pixels) {
  const std::size_t begin = std::min((index * pixels + cells / 2) / cells, pixels - 1);
  return {begin, std::max(begin + 1, ((index + 1) * pixels + cells / 2) / cells)};
}

/// Everything that is read off the pixels themselves.
class Reduction {
 public:
  explicit Reduction(const cv::Mat& pixels)
      : pixels_(pixels),
        channels_(static_cast<std::size_t>(pixels.channels())),
        values_(static_cast<std::size_t>(pixels.cols) * channels_),
        columns_(values_),
        least_(values_, 255),
        most_(values_) {
    for (int y = 0; y < pixels.rows; ++y) widen_range(pixels.ptr(y));
    for (std::size_t y = 0; y < cells; ++y) add_band(y);
  }

  const Cells& greys() const { return greys_; }

  void describe(ImageFingerprint& print) const {
    for (std::size_t c = 0; c < channels_; ++c) {
      print.mean[c] = static_cast<std::uint8_t>(std::lround(means_[c] / (cells * cells)));
      print.least[c] = least_[c];
      print.most[c] = most_[c];
      for (std::size_t i = c; i < values_; i += channels_) {
        print.least[c] = std::min(print.least[c], least_[i]);
        print.most[c] = std::max(print.most[c], most_[i]);
      }
    }
    print.contrast = contrast();
  }

 private:
  /// Column by column, so that the loop is one over independent bytes.
  void widen_range(const std::uint8_t* row) {
    std::uint8_t *least = least_.data(), *most = most_.data();
    for (std::size_t i = 0, count = values_; i < count; ++i) {
      const std::uint8_t value = row[i], low = least[i], high = most[i];
      least[i] = value < low ? value : low;
      most[i] = value > high ? value : high;
    }
  }

  /// One row of cells: the pixel rows added up first, then each cell's part of the sums.
  void add_band(std::size_t y) {
    constexpr std::size_t most_rows = 256;  // whose sums fit 16 bits; of taller cells every second … row is taken
    const Stretch rows = stretch_of(y, static_cast<std::size_t>(pixels_.rows));
    const std::size_t step = (rows.end - rows.begin + most_rows - 1) / most_rows;
    std::size_t added = 0;
    std::ranges::fill(columns_, std::uint16_t{0});
    for (std::size_t row = rows.begin; row < rows.end; row += step, ++added) {
      const std::uint8_t* values = pixels_.ptr(static_cast<int>(row));
      std::uint16_t* sums = columns_.data();
      for (std::size_t i = 0, count = values_; i < count; ++i)
        sums[i] = static_cast<std::uint16_t>(sums[i] + values[i]);
    }
    for (std::size_t x = 0; x < cells; ++x) add_cell(y, x, added);
  }

  void add_cell(std::size_t y, std::size_t x, std::size_t rows) {
    const Stretch part = stretch_of(x, static_cast<std::size_t>(pixels_.cols));
    std::array<std::uint64_t, 3> sums{};
    for (std::size_t i = part.begin; i < part.end; ++i) {
      for (std::size_t c = 0; c < channels_; ++c) sums[c] += columns_[i * channels_ + c];
    }
    std::array<double, 3> mean{};
    for (std::size_t c = 0; c < channels_; ++c) {
      mean[c] = static_cast<double>(sums[c]) / static_cast<double>(rows * (part.end - part.begin));
      means_[c] += mean[c];
    }
    greys_[y][x] = static_cast<float>(channels_ == 1 ? mean[0] : 0.299 * mean[0] + 0.587 * mean[1] + 0.114 * mean[2]);
  }

  std::uint8_t contrast() const {
    double sum = 0, squares = 0;
    for (const auto& row : greys_) {
      for (const double grey : row) {
        sum += grey - greys_[0][0];  // from the first cell on: nothing is lost where all are nearly equal
        squares += (grey - greys_[0][0]) * (grey - greys_[0][0]);
      }
    }
    constexpr double count = cells * cells;
    return static_cast<std::uint8_t>(std::ceil(std::sqrt(std::max(0.0, squares / count - sum / count * sum / count))));
  }

  const cv::Mat& pixels_;
  std::size_t channels_, values_;           // values: of a row
  std::vector<std::uint16_t> columns_;      // [value of a row], summed over the rows of a band
  std::vector<std::uint8_t> least_, most_;  // [value of a row], over all rows
  std::array<double, 3> means_{};           // sums over the cells
  Cells greys_{};
};

std::array<std::uint64_t, 4> look_of(const Cells& greys) {
  static const Cosines cosines = make_cosines();
  std::array<std::array<float, frequencies>, cells> rows{};  // [y][u]
  for (std::size_t y = 0; y < cells; ++y) {
    for (std::size_t x = 0; x < cells; ++x) {
      for (std::size_t u = 0; u < frequencies; ++u) rows[y][u] += greys[y][x] * cosines[x][u];
    }
  }
  std::array<std::uint64_t, 4> look{};
  for (std::size_t v = 0; v < frequencies; ++v) {
    std::array<float, frequencies> sums{};
    for (std::size_t y = 0; y < cells; ++y) {
      for (std::size_t u = 0; u < frequencies; ++u) sums[u] += rows[y][u] * cosines[y][v];
    }
    for (std::size_t u = 0; u < frequencies; ++u) {
      const bool positive = sums[u] > 0 && u + v > 0;
      look[v / half * 2 + u / half] |= std::uint64_t{positive} << (v % half * half + u % half);
    }
  }
  return look;
}

}  // namespace

SourceBytes source_bytes(std::span<const std::uint8_t> bytes) {
  return {static_cast<std::int64_t>(bytes.size()), Digest().add(bytes).value()};
}

ImageFingerprint take_fingerprint(const Picture& picture) {
  const Reduction reduction(picture.pixels);
  ImageFingerprint print;
  print.bytes = picture.source.count;
  print.content = picture.source.digest;
  print.look = look_of(reduction.greys());
  reduction.describe(print);
  return print;
}

}  // namespace lockstep::preprocess
