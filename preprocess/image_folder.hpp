// All images below a folder, without classes: what a trained network shall name. --source images
//
// Every file that may be an image by its name, at any depth, is an unlabelled sample of one split ("predict", or
// --split NAME), in byte order of the paths; other visible files are candidates with a refusal. Errors: missing input,
// no image.
#pragma once
#include <filesystem>
#include <string>

#include "preprocess/source.hpp"

namespace lockstep::preprocess {

class ImageFolder : public Source {
 public:
  ImageFolder(std::filesystem::path input, std::string split);

  Listing list() override;
  Picture picture(std::int64_t id, const Candidate& candidate, const PictureRequest& request) const override;
  std::filesystem::path file_of(std::int64_t id, const Candidate& candidate) const override;

 private:
  std::filesystem::path input_;
  std::string split_;
};

}  // namespace lockstep::preprocess
