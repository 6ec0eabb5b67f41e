#include "lockstep/record/value_histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace lockstep {
namespace {

/// Adds a bucket that is not empty behind those before it.
void add_bucket(ValueHistogram::Buckets& buckets, double begin, double end, std::int64_t count) {
  if (count == 0) return;
  if (buckets.ends.empty() || buckets.ends.back() != begin) {
    buckets.ends.push_back(begin);
    buckets.counts.push_back(0);
  }
  buckets.ends.push_back(end);
  buckets.counts.push_back(static_cast<double>(count));
}

}  // namespace

void ValueHistogram::add(std::span<const float> values) {
  // In registers: next to the counters in memory they would be written for each value.
  double sum = sum_, squares = squares_;
  float low = std::numeric_limits<float>::infinity(), high = -low;
  std::int64_t finite = 0;
  for (const float value : values) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t place = (bits & 0x7FFFFFFF) >> (23 - eighths);
    if (place >= infinite_bucket) continue;
    ++counts_[bits >> 31][place < first_bucket ? 0 : place - first_bucket + 1];
    ++finite;
    low = std::min(low, value);
    high = std::max(high, value);
    const double wide = value;
    sum += wide;
    squares += wide * wide;
  }
  count_ += finite;
  min_ = std::min<double>(min_, low);
  max_ = std::max<double>(max_, high);
  sum_ = sum;
  squares_ = squares;
}

double ValueHistogram::begin_of(std::size_t bucket) {
  const std::size_t place = bucket - 1 + first_bucket;
  constexpr std::size_t parts = 1u << eighths;
  const double part = static_cast<double>(place % parts) / static_cast<double>(parts);
  return std::ldexp(1 + part, static_cast<int>(place / parts) - 127);
}

ValueHistogram::Buckets ValueHistogram::buckets() const {
  Buckets found;
  const auto& [positive, negative] = counts_;
  for (std::size_t i = bucket_count - 1; i > 0; --i) add_bucket(found, -begin_of(i + 1), -begin_of(i), negative[i]);
  add_bucket(found, -begin_of(1), begin_of(1), negative[0] + positive[0]);
  for (std::size_t i = 1; i < bucket_count; ++i) add_bucket(found, begin_of(i), begin_of(i + 1), positive[i]);
  return found;
}

}  // namespace lockstep
