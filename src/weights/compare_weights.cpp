#include "lockstep/weights/compare_weights.hpp"

#include <ATen/ops/isnan.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <limits>

namespace lockstep {
namespace {

/// The largest difference of two values at the same place, of some values that stand in a row.
double largest_difference(const at::Tensor& first, const at::Tensor& second) {
  const at::Tensor a = first.to(at::kDouble), b = second.to(at::kDouble);
  const at::Tensor nan_a = at::isnan(a), nan_b = at::isnan(b);
  if (!nan_a.equal(nan_b)) return std::numeric_limits<double>::infinity();
  const at::Tensor differences = a.sub(b).abs().masked_fill(a.eq(b).logical_or(nan_a), 0.0);  // inf − inf is NaN
  return differences.max().item<double>();
}

bool same_bits(const at::Tensor& first, const at::Tensor& second) {
  const at::Tensor a = first.contiguous(), b = second.contiguous();
  return a.scalar_type() == b.scalar_type() && std::memcmp(a.const_data_ptr(), b.const_data_ptr(), a.nbytes()) == 0;
}

double largest_of_all(const at::Tensor& first, const at::Tensor& second) {
  if (first.numel() == 0 || same_bits(first, second)) return 0;
  constexpr std::int64_t at_once = std::int64_t{1} << 20;
  const at::Tensor a = first.reshape({-1}), b = second.reshape({-1});
  double largest = 0;
  for (std::int64_t begin = 0; begin < a.numel(); begin += at_once) {
    const std::int64_t count = std::min(at_once, a.numel() - begin);
    largest = std::max(largest, largest_difference(a.narrow(0, begin, count), b.narrow(0, begin, count)));
  }
  return largest;
}

}  // namespace

WeightComparison compare_weights(const WeightFile& first, const WeightFile& second, double tolerance) {
  WeightComparison result;
  std::map<std::string, at::Tensor> others(second.tensors.begin(), second.tensors.end());
  for (const auto& [name, tensor] : first.tensors) {
    const auto other = others.find(name);
    if (other == others.end()) {
      result.only_first.push_back(name);
      continue;
    }
    const at::Tensor mine = tensor, theirs = other->second;
    others.erase(other);
    if (mine.sizes() != theirs.sizes()) {
      result.differences.push_back(
          fmt::format("{}: [{}] and [{}]", name, fmt::join(mine.sizes(), ", "), fmt::join(theirs.sizes(), ", ")));
      continue;
    }
    const double largest = largest_of_all(mine, theirs);
    result.largest = std::max(result.largest, largest);
    if (mine.scalar_type() != theirs.scalar_type()) {
      result.differences.push_back(fmt::format("{}: {} and {}, values by up to {:.3g}", name,
                                               type_name(mine.scalar_type()), type_name(theirs.scalar_type()),
                                               largest));
    } else if (largest > tolerance) {
      result.differences.push_back(fmt::format("{}: by up to {:.3g}", name, largest));
    } else {
      ++result.equal;
    }
  }
  for (const auto& [name, tensor] : second.tensors) {
    if (others.contains(name)) result.only_second.push_back(name);
  }
  return result;
}

}  // namespace lockstep
