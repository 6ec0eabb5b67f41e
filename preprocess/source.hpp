// Where images come from: something that lists its candidates once, and gives the pixels of any of them.
//
// list() is called on rank 0 alone, so that a thousand ranks do not walk one file system; the other ranks get the
// listing and make a Source of their own, whose picture() reads. A candidate's number in the listing is its id for
// ever.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <opencv2/core/types.hpp>
#include <string>
#include <vector>

#include "lockstep/core/shared_text.hpp"
#include "preprocess/decode.hpp"
#include "preprocess/picture.hpp"
#include "preprocess/settings.hpp"

namespace lockstep::preprocess {

/// 48 bytes and the path; sources let its other texts share theirs.
struct Candidate {
  SharedText path;          ///< relative to the input, or a name such as "generated:17"
  SharedText given_split;   ///< the split the source puts it into; empty: to be assigned
  SharedText refusal;       ///< not empty: known to be no image from its name alone
  std::int32_t label = -1;  ///< index into Listing::classes, −1 where unknown
  float weight = 1;         ///< for sampling, finite, >= 0; counts where Listing::weighted
  /// When its file was changed last, in nanoseconds since 1970; 0: not asked yet, or it has no file.
  std::int64_t modified = 0;
  /// Bytes of its file; 0: not asked yet, or it has none of its own.
  std::int64_t bytes = 0;
  bool operator==(const Candidate&) const = default;
};

struct Listing {
  std::vector<std::string> classes;    ///< [label]; the order is the source's, see there
  std::vector<Candidate> candidates;   ///< [id], in the source's order: that of the bytes of paths, or of the file
  std::int64_t height = 0, width = 0;  ///< the source's own size if all its images share one, else 0
  bool weighted = false;               ///< whether the source gave weights
  /// Candidates that are left out, and so refused, for having the bytes of another one → that one.
  std::map<std::int64_t, std::int64_t> duplicate_of;
  std::vector<std::string> notes;              ///< what the source found and decided by itself, sentences for a person
  std::map<std::string, std::string> decided;  ///< the same as settings, for the manifest

  /// Bytes for World::broadcast, and back: columns, some 30 bytes a candidate and its path.
  std::string to_bytes() const;
  static Listing from_bytes(const std::string& bytes);
  bool operator==(const Listing&) const = default;
};

/// What a picture is wanted for; see DecodeRequest.
struct PictureRequest {
  int channels = 3;
  int least_side = 0;
  cv::Size size;           ///< the data set's, for sources that draw
  bool keep_jpeg = false;  ///< whether a JPEG file of that size is wanted as it is, too
  std::int64_t most_pixels = usual_most_pixels;
};

/// Which of a candidate's bytes are to be told: how many, the digest of the first 4 KiB, or of all.
enum class BytesWanted { count, beginning, all };

class Source {
 public:
  virtual ~Source() = default;
  /// Errors: nothing found, contradictions in what is found.
  virtual Listing list() = 0;
  /// Candidate number `id`. Throws Refusal if it cannot be used. Any number of threads at once.
  virtual Picture picture(std::int64_t id, const Candidate& candidate, const PictureRequest& request) const = 0;
  /// The file that holds it; empty: none does.
  virtual std::filesystem::path file_of(std::int64_t id, const Candidate& candidate) const = 0;
  /// What Picture::source says of all its bytes, without decoding. Count 0: they cannot be read, or there are none. Any
  /// number of threads at once.
  virtual SourceBytes bytes_of(std::int64_t id, const Candidate& candidate, BytesWanted wanted) const;
};

/// Asks the file system when each candidate's file was changed last, and for its size. Rank 0 alone.
void take_times(const Source& source, Listing& listing);

/// Errors: missing input, damaged IDX or CIFAR files.
std::unique_ptr<Source> make_source(const PackSettings& settings);

}  // namespace lockstep::preprocess
