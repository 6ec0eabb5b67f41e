// Where the first inputs of the fuzz targets go: FOLDER/<target>/<number>. One thread; errors are those of writing
// files.
#pragma once
#include <filesystem>
#include <string>

#include "lockstep/core/files.hpp"

namespace lockstep::fuzz {

class Seeds {
 public:
  explicit Seeds(std::filesystem::path folder) : folder_(std::move(folder)) {}

  void add(const std::string& target, const std::string& bytes) {
    const std::filesystem::path place = folder_ / target;
    std::filesystem::create_directories(place);
    write_file_atomically(place / std::to_string(count_++), bytes);
  }
  std::filesystem::path scratch(const std::string& name) const { return folder_ / name; }

 private:
  std::filesystem::path folder_;
  int count_ = 0;
};

/// Those of the readers of weight files.
void add_weights(Seeds& seeds);

}  // namespace lockstep::fuzz
