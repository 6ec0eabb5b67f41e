// Taking the fingerprint of a decoded picture: what it looks like, in a few bytes. See data/image_fingerprint.hpp.
//
// The look is a perceptual hash. The picture is averaged to 32 × 32 grey cells whatever its size and aspect, and each
// of the 16 × 16 lowest frequencies of the cells' discrete cosine transform gives one bit, its sign. Encoding again,
// another size and a little cropping leave most signs as they are; between unrelated pictures half of them differ.
// Frequencies below 8 × 8 make look[0], by which pictures are looked up; the others confirm. The bit of the mean grey
// is always 0. A hash of the decoded pixels is not kept: equal looks find the same picture in another file format as
// well. Source of the idea: C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010).
//
// Pure functions, thread-safe. The arithmetic has one order and no machine's cosines, so equal pixels give equal bits.
#pragma once
#include <cstdint>
#include <span>

#include "lockstep/data/image_fingerprint.hpp"
#include "preprocess/picture.hpp"

namespace lockstep::preprocess {

/// What picture.source is for an image of these bytes: those of its file, or of its pixels in a file of many.
SourceBytes source_bytes(std::span<const std::uint8_t> bytes);

/// `picture`: as its source gave it, not empty, before it is fitted.
ImageFingerprint take_fingerprint(const Picture& picture);

}  // namespace lockstep::preprocess
