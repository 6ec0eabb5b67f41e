// The GPU of a rank, and the door to the CUDA part of an install: liblockstep_cuda.so, loaded only where it is asked
// for.
//
// The program itself links no CUDA library, so that one install serves nodes with and without GPUs. The CUDA part lies
// beside the program (or in ../lib) and must be of the same lockstep and LibTorch. It is opened once a process, on the
// main thread, before LibTorch computes anything: LibTorch remembers its first answer to "is there CUDA?". One rank,
// one GPU. Errors: no CUDA part installed, one that can't be loaded or is of another version; no driver, one too old,
// no GPU, one too old for this CUDA; two ranks on one GPU.
#pragma once
#include <c10/core/Device.h>
#include <torch/version.h>

#include <cstdint>
#include <memory>
#include <string>

#include "lockstep/comm/communicator.hpp"
#include "lockstep/comm/world.hpp"

namespace lockstep {

/// Made by the CUDA part; outlives the communicators it makes.
class Accelerator {
 public:
  virtual ~Accelerator() = default;
  Accelerator(const Accelerator&) = delete;
  Accelerator& operator=(const Accelerator&) = delete;

  /// This rank's GPU, LibTorch's current one on the thread that opened it.
  virtual c10::Device device() const = 0;
  /// For a person: name, memory, compute capability, driver.
  virtual std::string description() const = 0;
  /// What tells two GPUs of a host apart, whatever each process calls them.
  virtual std::string identity() const = 0;
  /// How many GPUs this process sees.
  virtual int visible() const = 0;
  /// The communicator that sums on the GPUs (NCCL) over the ranks of `control`, over which the ranks meet; it must
  /// outlive the result. Every rank calls it. A rank that doesn't come ends the others by `deadline`.
  virtual std::unique_ptr<Communicator> make_communicator(Communicator& control, Seconds deadline) = 0;
  /// The most memory that tensors of this process have taken on the GPU so far, in bytes.
  virtual std::int64_t peak_bytes() const = 0;

 protected:
  Accelerator() = default;
};

/// What the CUDA part hands to the program; `version` first, so that any version can be asked for it.
struct AcceleratorEntry {
  const char* version;  ///< accelerator_version of its build
  /// Takes GPU local_rank modulo the visible ones; the caller owns the result. Throws Error.
  Accelerator* (*open)(int local_rank);
};
/// The one symbol of the CUDA part: extern "C" const AcceleratorEntry* lockstep_accelerator_entry();
inline constexpr const char* accelerator_symbol = "lockstep_accelerator_entry";

/// Versions of lockstep and of the LibTorch headers this is compiled with: both sides of the door must say the same.
/// Not a function: the CUDA part would find the program's.
constexpr const char* accelerator_version = "lockstep " LOCKSTEP_VERSION " with LibTorch " TORCH_VERSION;

/// The GPU for this process alone; tells nobody.
std::unique_ptr<Accelerator> open_accelerator(int local_rank);
/// The GPUs of a run: every rank calls it, all succeed or all throw, naming the rank that could not.
std::unique_ptr<Accelerator> open_accelerator(World& world);

}  // namespace lockstep
