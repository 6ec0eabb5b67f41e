// What train and evaluate need of the processes around them.
#pragma once
#include <functional>

#include "lockstep/comm/world.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/log.hpp"
#include "lockstep/data/manifest.hpp"

namespace lockstep {

/// Runs `work` in a world; an exception on any rank of several ends them all with its exit code, since the others would
/// wait for it in their next exchange.
Exit run_in_world(std::string_view command, const std::function<Exit(World&, const Log&)>& work);

/// The manifest as rank 0 reads it, on every rank: one reader instead of thousands on a shared file system.
Manifest shared_manifest(World& world, const std::filesystem::path& folder);

/// Compute threads of this rank: as asked, or its share of the cores; set in LibTorch.
std::int64_t set_threads(std::int64_t asked, const World& world);

}  // namespace lockstep
