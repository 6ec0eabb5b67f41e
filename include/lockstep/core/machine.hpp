// What this process may use of its machine, and settings every program of ours makes once at its start.
//
// Counts are logical cores. Thread-safe but for keep_large_blocks() and allow_many_files(),
// which are called once before threads start. No
// errors: where the system does not tell, the answer is the machine's number of cores.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace lockstep {

/// Cores in this process's affinity mask: what a launcher or batch system gave it, not what the machine has.
std::int64_t usable_cores();

/// This machine's name in the network, as messages show it.
std::string host_name();

/// The most memory this process has held so far, in bytes; without what it only has mapped.
std::int64_t peak_memory_bytes();

/// Seconds of processor time that this process has used so far, all threads together.
double processor_seconds();

/// Bytes that this process has read from storage so far, those already in the page cache not counted; nothing where the
/// system does not tell.
std::optional<std::uint64_t> bytes_from_storage();

/// Bytes of memory that this process may still take: what the machine has, and what the control groups it lies in
/// allow, page cache that would give way counted as free.
std::int64_t available_memory_bytes();

/// The affinity mask as text ("0-3,8"), to tell processes that share their cores from those with cores of their own.
std::string affinity_mask();

/// Raises this process's limit of open files to what it may be: a data set of thousands of shards keeps them all open.
void allow_many_files();

/// Tells malloc to keep large blocks between steps instead of returning them to the kernel, whose page faults cost more
/// than the mathematics (measured: 2.9 → 11.4 images/s for the custom CNN). Serves the main thread's arena.
void keep_large_blocks();

}  // namespace lockstep
