#include "lockstep/core/machine.hpp"

#include <malloc.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>

namespace lockstep {

std::int64_t usable_cores() {
  cpu_set_t mask;
  if (::sched_getaffinity(0, sizeof mask, &mask) != 0) return std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN));
  return CPU_COUNT(&mask);
}

std::int64_t core_share(std::int64_t local_ranks) {
  const std::int64_t usable = usable_cores(), machine = std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN));
  if (usable < machine && usable * local_ranks <= machine) return usable;
  return std::max<std::int64_t>(1, usable / local_ranks);
}

void keep_large_blocks() {
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, 2'000'000'000);
  ::mallopt(M_TOP_PAD, 64 << 20);
}

}  // namespace lockstep
