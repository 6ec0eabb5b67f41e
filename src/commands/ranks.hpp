// What train and evaluate need of the processes around them.
//
// Every rank calls each of these once, on its main thread, in the same order. Errors: those of reading the manifest.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>

#include "lockstep/comm/accelerator.hpp"
#include "lockstep/comm/world.hpp"
#include "lockstep/config/run_config.hpp"
#include "lockstep/core/log.hpp"
#include "lockstep/data/manifest.hpp"

namespace lockstep {

/// The manifest as rank 0 reads it, on every rank: one reader instead of thousands on a shared file system.
Manifest shared_manifest(World& world, const std::filesystem::path& folder);

/// The GPU of this rank if `device` asks for one, else null. Comes before anything is computed; says which it is.
std::unique_ptr<Accelerator> take_device(DeviceKind device, World& world, const Log& log);

/// Compute threads of this rank: as asked, or its share of the cores (0); set in LibTorch.
std::int64_t set_threads(std::int64_t asked, World& world);

}  // namespace lockstep
