// A dense float32 tensor seen as rows of channels: what the vector kernels take, and how rows are shared out to
// threads.
//
// [n, c, h, w] becomes n·h·w rows (made channels-last if it is not), [n, c] becomes n rows; n may be 0. CPU only; Error
// for another type, device or number of dimensions. The calling thread's LibTorch thread count decides the sharing.
#pragma once
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "lockstep/core/error.hpp"

namespace lockstep {

/// A dense float32 tensor seen as rows of channels.
struct Rows {
  at::Tensor tensor;  // keeps the memory
  std::int64_t rows = 0, channels = 0, rows_per_sample = 1;
  float* data() const { return tensor.data_ptr<float>(); }
};

inline Rows as_rows(const at::Tensor& x, const char* layer) {
  if (!x.device().is_cpu() || x.scalar_type() != at::kFloat || (x.dim() != 4 && x.dim() != 2)) {
    throw Error(std::string("a tensor that is not float32 [n, c, h, w] or [n, c] on the CPU"), layer,
                "convert the input; other devices have their own layers");
  }
  const bool image = x.dim() == 4;
  const at::Tensor dense = image ? x.contiguous(at::MemoryFormat::ChannelsLast) : x.contiguous();
  const std::int64_t per_sample = image ? x.size(2) * x.size(3) : 1;
  return {dense, x.size(0) * per_sample, x.size(1), per_sample};
}

inline at::Tensor empty_as(const Rows& rows) {
  return at::empty_like(rows.tensor, rows.tensor.suggest_memory_format());
}

// Rows handled by one call of a kernel: enough to forget the call, few enough to share out and to stay in cache.
inline std::int64_t rows_per_task(std::int64_t channels) { return std::max<std::int64_t>(1, 32768 / channels); }

template <typename F>
void for_rows(std::int64_t begin, std::int64_t end, std::int64_t channels, const F& work) {
  at::parallel_for(begin, end, rows_per_task(channels), work);
}

/// Sums per channel over rows [begin, end), each thread's part added in the order of the rows so that a thread count
/// always gives the same bits. `work(first, last, out)` adds to out [width].
template <typename F>
std::vector<double> sum_over_rows(std::int64_t begin, std::int64_t end, std::int64_t width, std::int64_t channels,
                                  const F& work) {
  const std::int64_t grain = rows_per_task(channels);
  const std::int64_t parts = std::min<std::int64_t>(at::get_num_threads(), (end - begin + grain - 1) / grain);
  std::vector<std::vector<double>> partial(static_cast<std::size_t>(std::max<std::int64_t>(1, parts)));
  at::parallel_for(0, static_cast<std::int64_t>(partial.size()), 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t part = first; part < last; ++part) {
      auto& out = partial[static_cast<std::size_t>(part)];
      out.assign(static_cast<std::size_t>(width), 0.0);
      const auto count = static_cast<std::int64_t>(partial.size());
      work(begin + (end - begin) * part / count, begin + (end - begin) * (part + 1) / count, out.data());
    }
  });
  for (std::size_t part = 1; part < partial.size(); ++part) {
    for (std::size_t i = 0; i < partial[0].size(); ++i) partial[0][i] += partial[part][i];
  }
  return std::move(partial[0]);
}

}  // namespace lockstep
