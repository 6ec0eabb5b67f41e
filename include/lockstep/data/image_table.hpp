// images.h5: one row per source image that packing met, refused ones included. Read by audits and by predict only.
//
//   /path    UTF-8 strings relative to the input folder (bytes as the file system has them), or a name such as
//            "train:123" (the 124th image of an IDX file), "data_batch_1:123" (CIFAR) or "generated:123"
//   /split   UTF-8 strings; empty for images that are not in the set
//   /label   int32, −1 where unknown
//   /width, /height   int32, of the source image; 0 where it could not be read
//   /status  UTF-8 strings, the names of ImageStatus
//   /reason  UTF-8 strings, empty where ok; of duplicates it names the one that was kept
// and, since format version 2, the image's fingerprint (image_fingerprint.hpp), zeros where there is none:
//   /bytes, /content                        int64; content is the XXH64's 64 bits
//   /look_0 … /look_3                       int64, 64 bits each
//   /mean_0 … _2, /least_0 …, /most_0 …     uint8, channels that the data set does not have are 0
//   /contrast                               uint8
//   /modified  int64, when the source file was changed last, in nanoseconds since 1970; 0: it has no file
// Files of version 1 are read without: no image has a fingerprint then. A table may have more rows than its manifest
// counts images: they belong to a --add that did not finish, and count for nothing.
// The row number is the sample's id. Memory: 112 bytes a row and the texts it does not share; writing and reading go
// column by column, which takes 16 more.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "lockstep/core/shared_text.hpp"
#include "lockstep/data/image_fingerprint.hpp"

namespace lockstep {

/// refused: it cannot be used; duplicate: left out, the same bytes as another image.
enum class ImageStatus : std::uint8_t { ok, refused, duplicate };
/// "ok", "refused", "duplicate".
std::string_view name_of(ImageStatus status);

struct ImageRow {
  SharedText path, split;
  std::int32_t label = -1;
  std::int32_t width = 0, height = 0;
  ImageStatus status = ImageStatus::ok;
  SharedText reason;
  ImageFingerprint fingerprint{};
  std::int64_t modified = 0;
  bool operator==(const ImageRow&) const = default;
};

inline constexpr const char* image_table_name = "images.h5";

/// Writes atomically (temporary name, flush, rename). Equal rows give equal bytes.
void write_image_table(const std::filesystem::path& file, const std::vector<ImageRow>& rows);
/// The first `most` rows; equal splits and reasons share their text. Errors: missing file, not such a table.
std::vector<ImageRow> read_image_table(const std::filesystem::path& file, std::int64_t most = INT64_MAX);

}  // namespace lockstep
