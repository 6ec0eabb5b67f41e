// A sum over many elements by LibTorch's threads whose number changes nothing.
//
// Tasks have fixed bounds and their results are added in their order, so ranks with other threads find the same bits.
// Memory: 8 bytes for each 65,536 elements. Called by one thread. Errors: those of `sum`.
#pragma once
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace lockstep {

/// Σ of `sum(first element, count)` over `n` elements.
template <typename F>
double sum_in_tasks(std::int64_t n, const F& sum) {
  constexpr std::int64_t task = 65536;
  const std::int64_t tasks = (n + task - 1) / task;
  std::vector<double> sums(static_cast<std::size_t>(tasks));
  at::parallel_for(0, tasks, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t t = first; t < last; ++t)
      sums[static_cast<std::size_t>(t)] = sum(t * task, std::min(task, n - t * task));
  });
  double total = 0;
  for (const double part : sums) total += part;
  return total;
}

}  // namespace lockstep
