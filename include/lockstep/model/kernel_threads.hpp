// Work whose results must not depend on how many threads share it: each piece by one thread, with one thread inside
// LibTorch.
//
// LibTorch's count of threads belongs to the calling thread; both restore or leave alone what others have set.
#pragma once
#include <cstdint>
#include <functional>

namespace lockstep {

/// One thread inside LibTorch for the lifetime of this object, in the thread that makes it.
class SingleThreadedKernels {
 public:
  SingleThreadedKernels();
  ~SingleThreadedKernels();
  SingleThreadedKernels(const SingleThreadedKernels&) = delete;
  SingleThreadedKernels& operator=(const SingleThreadedKernels&) = delete;

 private:
  int before_;
};

/// Runs `work` in `threads` threads at once, the calling one among them; new ones with single-threaded kernels. `work`
/// must not throw.
void run_on_threads(std::int64_t threads, const std::function<void()>& work);

}  // namespace lockstep
