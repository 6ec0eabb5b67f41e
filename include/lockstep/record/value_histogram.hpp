// How the values of a tensor are spread: counts in buckets that grow with the values, as TensorBoard draws them.
//
// One pass over the values, an integer shift for each: a bucket spans an eighth of an octave, so that its edges are
// floats exactly ((1 + i/8) · 2^k; a bucket ends at most 1.125 times where it begins; TensorFlow's grow by 1.1). Values
// nearer to zero than 2^-40 share the bucket in the middle. An edge belongs to the bucket that lies farther from zero.
// Values that are not finite are left out. Memory: 22 KiB. A value; one thread.
#pragma once
#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace lockstep {

class ValueHistogram {
 public:
  void add(std::span<const float> values);

  std::int64_t count() const { return count_; }
  double min() const { return min_; }  ///< of finite values; infinite if there were none
  double max() const { return max_; }
  double sum() const { return sum_; }
  double sum_of_squares() const { return squares_; }

  /// Counts between edges: the i-th bucket ends at `ends[i]` and begins at `ends[i - 1]`. Empty ones are left out but for
  /// those that say where a bucket begins.
  struct Buckets {
    std::vector<double> ends, counts;
  };
  Buckets buckets() const;

 private:
  static constexpr int eighths = 3;  ///< bits of the fraction that tell buckets of an octave apart
  static constexpr int least_exponent = -40;
  static constexpr std::uint32_t first_bucket = static_cast<std::uint32_t>(127 + least_exponent) << eighths;
  static constexpr std::uint32_t infinite_bucket = 255u << eighths;
  static constexpr std::size_t bucket_count = infinite_bucket - first_bucket + 1;

  static double begin_of(std::size_t bucket);

  std::array<std::array<std::int64_t, bucket_count>, 2> counts_{};  // [negative][bucket], the first: about zero
  std::int64_t count_ = 0;
  double min_ = std::numeric_limits<double>::infinity(), max_ = -std::numeric_limits<double>::infinity();
  double sum_ = 0, squares_ = 0;
};

}  // namespace lockstep
