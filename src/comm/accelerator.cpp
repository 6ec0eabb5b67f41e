#include "lockstep/comm/accelerator.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <string_view>
#include <vector>

#include "gpu_seats.hpp"
#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

constexpr const char* library_name = "liblockstep_cuda.so";

fs::path find_library() {
  const fs::path folder = fs::read_symlink("/proc/self/exe").parent_path();
  for (const fs::path& candidate : {folder / library_name, folder.parent_path() / "lib" / library_name}) {
    if (fs::exists(candidate)) return candidate;
  }
  throw Error("this install has no CUDA part", (folder / library_name).string(),
              "run launch/setup.sh --cuda and build with -DLOCKSTEP_CUDA=ON, or use --device cpu");
}

/// Never closed again: LibTorch keeps pointers into what it has once loaded.
void* load(const fs::path& library) {
  // NOW: a library that is missing or does not fit is found here, not in the middle of a run. LOCAL: its names are for
  // nobody else; LibTorch's CUDA half registers itself with the CPU half while it is loaded.
  void* handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle != nullptr) return handle;
  const char* reason = ::dlerror();
  throw Error(fmt::format("the CUDA part can't be loaded: {}", reason == nullptr ? "no reason given" : reason),
              library.string(), "run launch/setup.sh --cuda and build again: it must find LibTorch's CUDA libraries");
}

const AcceleratorEntry& entry_of(void* handle, const fs::path& library) {
  using Entry = const AcceleratorEntry* (*)();
  const auto entry = reinterpret_cast<Entry>(::dlsym(handle, accelerator_symbol));
  if (entry == nullptr) {
    throw Error(fmt::format("the CUDA part has no {}", accelerator_symbol), library.string(),
                "build program and CUDA part together");
  }
  const AcceleratorEntry& found = *entry();
  if (std::string_view(found.version) != accelerator_version) {
    throw Error(fmt::format("the CUDA part is of {}, the program of {}", found.version, accelerator_version),
                library.string(), "build or install both together");
  }
  return found;
}

GpuSeat seat_of(const Accelerator& accelerator, const World& world) {
  return {world.host(), accelerator.identity(), accelerator.visible(), "", Exit::done};
}

}  // namespace

std::unique_ptr<Accelerator> open_accelerator(int local_rank) {
  const fs::path library = find_library();
  return std::unique_ptr<Accelerator>(entry_of(load(library), library).open(local_rank));
}

std::unique_ptr<Accelerator> open_accelerator(World& world) {
  std::unique_ptr<Accelerator> accelerator;
  std::optional<Error> failure;
  GpuSeat mine;
  try {
    accelerator = open_accelerator(world.local_rank());
    mine = seat_of(*accelerator, world);
  } catch (const Error& error) {
    failure = error;
    mine = {world.host(), "", 0, error.message(), error.exit_code()};
  } catch (const std::exception& error) {  // LibTorch's own
    failure = Error(error.what(), world.host(), "see whether PyTorch can use this GPU");
    mine = {world.host(), "", 0, failure->message(), failure->exit_code()};
  }
  // Texts, not tensors: a rank whose LibTorch has no CUDA half shall not compute before it has said so.
  std::vector<GpuSeat> seats;  // [rank]
  for (const std::string& text : world.gather_all(mine.to_text())) seats.push_back(GpuSeat::from_text(text));
  if (failure) throw *failure;
  if (const auto fault = fault_of(seats)) throw *fault;
  return accelerator;
}

}  // namespace lockstep
