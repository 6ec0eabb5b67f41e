// The packing job: images of a source to a data set folder, by all ranks of a world together.
//
// Rank 0 lists the images, looks what is there already and prepares the folder; every rank decodes and writes shards as
// rank 0 hands them out (foreman.hpp), writing one while it decodes the next; rank 0 writes images.h5 and, last, the
// manifest. The bytes of the result depend on the input, its files' times of change, settings and the versions of the
// codecs, not on ranks, threads or interruptions. Memory per rank: two shards as they are stored, one picture per
// thread, and for each image its path and 9 bytes, 56 for its place in the listing and, on rank 0, 112 for its row of the
// table. Before and after that --add has the rows and the listing with paths of their own, and the plan on its way to
// other ranks is there three times.
//
// What is in the output decides what is done:
//   nothing         everything is packed;
//   an unfinished   (killed, disk full, --strict: no manifest, but a journal) finished shards whose images have not
//   packing         changed are kept, the rest is packed; with other settings it is an Error that says which;
//   a data set      of the same images and settings: nothing is done, and said so. Of others: an Error that says what
//                   differs. With --add the new images are packed into shards and rows behind the old ones; images that
//                   are gone or changed, and other settings, are an Error.
// A data set is old or new at any moment, never mixed: a manifest is replaced atomically, and last. Rows of images.h5
// that it does not count belong to an --add under way (image_table.hpp).
#pragma once
#include "lockstep/comm/world.hpp"
#include "lockstep/core/log.hpp"
#include "preprocess/settings.hpp"

namespace lockstep::preprocess {

/// Called by every rank with the same settings. Errors are thrown on rank 0, also those of other ranks, which then wait
/// for it to end the run by World::abort.
void pack(const PackSettings& settings, World& world, const Log& log);

}  // namespace lockstep::preprocess
