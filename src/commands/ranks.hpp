// What train and evaluate need of the processes around them.
//
// Every rank calls each of these once, on its main thread, in the same order. Errors: those of reading the manifest.
#pragma once
#include <cstdint>
#include <filesystem>

#include "lockstep/comm/world.hpp"
#include "lockstep/data/manifest.hpp"

namespace lockstep {

/// The manifest as rank 0 reads it, on every rank: one reader instead of thousands on a shared file system.
Manifest shared_manifest(World& world, const std::filesystem::path& folder);

/// Compute threads of this rank: as asked, or its share of the cores (0); set in LibTorch.
std::int64_t set_threads(std::int64_t asked, World& world);

}  // namespace lockstep
