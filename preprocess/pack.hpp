// The packing job: images of a source to a data set folder, by all ranks of a world together.
//
// Rank 0 lists the images and prepares the folder; every rank decodes and writes shards, shard s by rank s mod ranks,
// writing one while it decodes the next; rank 0 writes images.h5 and, last, the manifest. After each round of shards
// the ranks exchange what they found, so a failure on one ends all, and rank 0 removes what was made. The bytes of the
// result depend on input, settings and the versions of the codecs, not on ranks or threads. Memory per rank: two shards
// of raw images, one picture per thread, and on rank 0 about 1.1 kB per image (1.3 kB from a CSV; at the peak, measured
// with 100,000 images on 2026-11-21).
#pragma once
#include "lockstep/comm/world.hpp"
#include "lockstep/core/log.hpp"
#include "preprocess/settings.hpp"

namespace lockstep::preprocess {

/// Called by every rank with the same settings. Errors are thrown on rank 0, also those of other ranks, which then
/// return as if nothing had happened: rank 0 speaks for all and ends the run by World::abort.
void pack(const PackSettings& settings, World& world, const Log& log);

}  // namespace lockstep::preprocess
