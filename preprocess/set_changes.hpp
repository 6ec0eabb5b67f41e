// What has changed since a data set was packed: its settings, and the images of its input. Rank 0 alone.
//
// Images are known by their path. One counts as changed if its class, its given split or its refusal differ, or if its
// file was written since or has another size, and now holds other bytes: it is read only then. Where it could not be
// read before, it must fail in the same words. Memory: some 60 bytes an image.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "lockstep/data/image_table.hpp"
#include "lockstep/data/manifest.hpp"
#include "preprocess/source.hpp"

namespace lockstep::preprocess {

/// Names of settings → their values, as PackSettings::summary() and Listing::decided have them.
using SettingTexts = std::map<std::string, std::string>;

/// The settings of a packing that must be the same for its shards to be of use, in this format.
SettingTexts settings_that_count(SettingTexts summary, const ShardFormat& format);

/// "side 128 × 128 × 3, now 64 × 64 × 3"; one text for each setting that differs.
std::vector<std::string> differing_settings(const SettingTexts& before, const SettingTexts& now);

struct InputChanges {
  std::vector<std::string> fresh, gone, changed;  ///< paths
  bool none() const { return fresh.empty() && gone.empty() && changed.empty(); }
  /// "3 new (a/1.jpg), 1 gone (b/2.jpg)"
  std::string text() const;
};

/// `listing`: with its times, and the labels of `manifest` (with_labels_of()). `most_pixels`: see PackSettings.
InputChanges input_changes(const Manifest& manifest, const std::vector<ImageRow>& rows, const Listing& listing,
                           const Source& source, std::int64_t most_pixels);

/// Digest of the weights of all images, in the order of their paths; of those alone that `rows` have, if there are any.
std::string weights_digest(const Listing& listing, const std::vector<ImageRow>* rows = nullptr);

}  // namespace lockstep::preprocess
