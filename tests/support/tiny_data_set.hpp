// A small packed data set made by the project's own writers, for tests of everything that reads one.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

#include "lockstep/data/manifest.hpp"

namespace lockstep::testing {

/// A folder that is removed with this object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

struct TinyDataSet {
  std::int64_t side = 8, channels = 3, classes = 3;
  std::int64_t train = 53, validation = 17, test = 11;  ///< sizes that divide by nothing
  std::int64_t per_shard = 20;
  bool jpeg = false;      ///< kept as JPEG files
  bool weighted = false;  ///< a sample's weight is its id modulo 4
};

/// Noise around a pattern of the class, so that a few epochs learn it; ids run over all splits.
Manifest write_tiny_data_set(const std::filesystem::path& folder, const TinyDataSet& spec = {});

}  // namespace lockstep::testing
