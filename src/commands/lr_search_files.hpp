// What a search for a learning rate leaves in a run's folder: lr-search.json and lr-search.svg.
//
// Written by rank 0, before the run is made; RunFolder takes a folder with nothing else in it for a new one. Errors:
// those of writing.
#pragma once
#include <filesystem>

#include "lockstep/train/lr_search.hpp"

namespace lockstep {

/// The two files, made in `folder`.
void write_lr_search(const LrSearch& search, const std::filesystem::path& folder);

}  // namespace lockstep
