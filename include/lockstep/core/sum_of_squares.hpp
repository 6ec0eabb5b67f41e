// The sum of squares of floats, in double, in one order for every processor.
//
// Sixteen partial sums take turns and are added at the end, so that vector instructions of any width give the same bits:
// ranks on different machines must find the same norm. One thread; thread-safe. Time O(n).
#pragma once
#include <cstdint>

namespace lockstep {

double sum_of_squares(const float* values, std::int64_t n);

}  // namespace lockstep
