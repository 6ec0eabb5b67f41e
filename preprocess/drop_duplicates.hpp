// --drop-duplicates: candidates with the same bytes as another one are left out before splits are assigned.
//
// Kept of each group is one that the source puts into the test split, else into validation, else into another one, else
// any; of several the first by id. So nothing of a test stays in training. What is in the data set
// already (--add) is always kept. The others are refused with a reason that
// names the kept one, and are rows of images.h5 with the status "duplicate".
//
// Only what may be the same is read: candidates of the same size are compared by the digest of their first 4 KiB, those
// that agree by that of all their bytes. Candidates without bytes of their own (generated pictures) and files that
// cannot be read are passed over. Rank 0 does it, by several threads. Memory: 40 bytes a candidate.
#pragma once
#include <cstdint>
#include <set>
#include <string>

#include "preprocess/source.hpp"

namespace lockstep::preprocess {

/// Marks the candidates of `listing`, which is `source`'s, and adds a note.
/// `in_set`: paths of the images that stay whatever comes.
void mark_duplicates(Listing& listing, const Source& source, const std::set<std::string>& in_set, std::int64_t threads);

}  // namespace lockstep::preprocess
