#include "lockstep/core/sum_of_squares.hpp"

#include "lockstep/core/vector_clones.hpp"

namespace lockstep {

LOCKSTEP_VECTOR double sum_of_squares(const float* values, std::int64_t n) {
  constexpr std::int64_t lanes = 16;
  double sums[lanes] = {};
  const std::int64_t whole = n - n % lanes;
  for (std::int64_t i = 0; i < whole; i += lanes) {
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      const double value = values[i + lane];
      sums[lane] += value * value;
    }
  }
  double total = 0;
  for (const double sum : sums) total += sum;
  for (std::int64_t i = whole; i < n; ++i) total += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return total;
}

}  // namespace lockstep
