// The folder a data set is packed into: what lies there, and making room. Used by rank 0 alone.
//
// Only files of a data set's own names are ever removed.
#pragma once
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace lockstep::preprocess {

class OutputFolder {
 public:
  /// Errors: `output` lies inside one of `inputs` (it would be taken for images the next time). Empty ones are none.
  OutputFolder(std::filesystem::path output, const std::vector<std::filesystem::path>& inputs);

  /// Whether a whole data set is there. Errors: the output is a file; files of others are there.
  bool holds_data_set() const;
  /// Makes the folder ready, and removes all of a data set's files but those to `keep`, named as in the manifest.
  /// Errors: fewer than `needed` bytes are free.
  void prepare(std::uint64_t needed, const std::set<std::string>& keep) const;
  /// Removes everything packing has made but `keep`; the folder itself too if nothing else is in it.
  void discard(const std::set<std::string>& keep) const noexcept;

 private:
  std::filesystem::path output_;
};

}  // namespace lockstep::preprocess
