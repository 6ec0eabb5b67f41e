// What this process may use of its machine, and settings every program of ours makes once at its start.
//
// Counts are logical cores. Thread-safe but for keep_large_blocks(), which is called once before threads start. No
// errors: where the system does not tell, the answer is the machine's number of cores.
#pragma once
#include <cstdint>

namespace lockstep {

/// Cores in this process's affinity mask: what a launcher or batch system gave it, not what the machine has.
std::int64_t usable_cores();

/// Cores for each of `local_ranks` processes on this host, at least 1. Where the launcher has bound every rank to cores of
/// its own, the mask is the share already: told by a mask smaller than the machine's.
std::int64_t core_share(std::int64_t local_ranks);

/// Tells malloc to keep large blocks between steps instead of returning them to the kernel, whose page faults cost more
/// than the mathematics (measured: 2.9 → 11.4 images/s for the custom CNN). Serves the main thread's arena.
void keep_large_blocks();

}  // namespace lockstep
