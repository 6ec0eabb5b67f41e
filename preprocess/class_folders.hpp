// Images in a folder per class, with or without split folders above:
//
//   input/<class>/…/<image>            all to be split
//   input/<split>/<class>/…/<image>    given splits are kept; train must be among them
//   input/test/<image>                 no class folders inside: unlabelled samples of the split test
//
// An image's class is the first folder below the split (or the input), however deep it lies in there; a note says so
// where there are deeper ones. Split folders are train, val, valid, validation and test, and those that folder_as maps;
// other splits than train and validation may be unlabelled. Classes are numbered in byte order of their folders' names;
// each split may hold only classes that train has. Hidden files and folders are skipped; other files that are not
// images by their extension, or lie outside any class, are candidates with a refusal, so that nothing is passed over in
// silence. Links are followed. Errors: missing input, no images, an empty class folder, a class without training
// folder, a folder that is neither a split nor mapped beside split folders, names that are not UTF-8, links in a
// circle.
#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "preprocess/source.hpp"

namespace lockstep::preprocess {

class ClassFolders : public Source {
 public:
  ClassFolders(std::filesystem::path input, std::map<std::string, std::string> folder_as);

  Listing list() override;
  Picture picture(std::int64_t id, const Candidate& candidate, const PictureRequest& request) const override;

 private:
  std::filesystem::path input_;
  std::map<std::string, std::string> folder_as_;  // given folder → split
};

}  // namespace lockstep::preprocess
