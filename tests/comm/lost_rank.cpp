// A run that loses its last rank in the middle of an exchange: killed, hung or by an exception. For lost_rank_test, and
// with the word gpu behind it for the same between GPUs.
#include <ATen/core/Tensor.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "lockstep/comm/accelerator.hpp"
#include "lockstep/comm/mpi.hpp"

namespace {

using namespace lockstep;

[[noreturn]] void sleep_for_ever() {
  while (true) std::this_thread::sleep_for(std::chrono::hours(1));
}

void lose(const std::string& how) {
  if (how == "killed") std::raise(SIGKILL);
  if (how == "hung") sleep_for_ever();
  if (how == "throwing") throw Error("image cannot be decoded", "cat.jpg", "replace it");
}

void exchange(Communicator& communicator, const std::string& how) {
  const bool lost = communicator.rank() == communicator.size() - 1;
  at::Tensor values = communicator.buffer(std::int64_t{4} << 20, at::kFloat);
  for (int step = 0; step < 10; ++step) {
    Work work = communicator.sum(values);
    if (lost && step == 5) lose(how);
    if (communicator.device().is_cpu()) {
      work.wait();
    } else {  // as training does
      work.let_stream_wait();
      communicator.settle();
    }
  }
}

void exchange_between_gpus(World& world, const std::string& how) {
  const auto accelerator = open_accelerator(world);
  const auto control = make_mpi_communicator(world, Progress::caller, Seconds(30));
  exchange(*accelerator->make_communicator(*control, Seconds(3)), how);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return static_cast<int>(Exit::usage);
  World world;
  try {
    if (argc > 2)
      exchange_between_gpus(world, argv[1]);
    else
      exchange(*make_mpi_communicator(world, Progress::thread, Seconds(3)), argv[1]);
  } catch (const Error& error) {
    world.abort(static_cast<int>(error.exit_code()), error.what());
  }
  std::puts("the run ended as if nothing had happened");
  return 0;
}
