// The folder a data set is packed into: free to use before, cleaned up after a failure. Used by rank 0 alone.
//
// Only files of a data set's own names are ever removed.
#pragma once
#include <cstdint>
#include <filesystem>
#include <vector>

namespace lockstep::preprocess {

class OutputFolder {
 public:
  /// Errors: `output` lies inside one of `inputs` (it would be taken for images the next time). Empty ones are none.
  OutputFolder(std::filesystem::path output, const std::vector<std::filesystem::path>& inputs);

  /// Makes the folder ready, removing what an unfinished packing left there. Errors: a data set is there already; other
  /// files are there; fewer than `needed` bytes are free.
  void prepare(std::uint64_t needed) const;
  /// Removes everything packing has made, the folder itself too if nothing else is in it.
  void discard() const noexcept;

 private:
  std::filesystem::path output_;
};

}  // namespace lockstep::preprocess
