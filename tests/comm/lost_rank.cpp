// A run that loses its last rank in the middle of an exchange: killed, hung or by an exception. For lost_rank_test.
#include <ATen/core/Tensor.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

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
    work.wait();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return static_cast<int>(Exit::usage);
  const World world;
  try {
    const auto communicator = make_mpi_communicator(world, Progress::thread, Seconds(3));
    exchange(*communicator, argv[1]);
  } catch (const Error& error) {
    world.abort(static_cast<int>(error.exit_code()), error.what());
  }
  std::puts("the run ended as if nothing had happened");
  return 0;
}
