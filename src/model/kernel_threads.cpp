#include "lockstep/model/kernel_threads.hpp"

#include <ATen/Parallel.h>

#include <thread>
#include <vector>

namespace lockstep {

SingleThreadedKernels::SingleThreadedKernels() : before_(at::get_num_threads()) { at::set_num_threads(1); }
SingleThreadedKernels::~SingleThreadedKernels() { at::set_num_threads(before_); }

void run_on_threads(std::int64_t threads, const std::function<void()>& work) {
  std::vector<std::jthread> others;  // joined also if the system refuses one more
  for (std::int64_t i = 1; i < threads; ++i) {
    others.emplace_back([&work] {
      at::set_num_threads(1);
      work();
    });
  }
  work();
}

}  // namespace lockstep
