// Images in a folder per class, with or without split folders above:
//
//   input/<class>/…/<image>            all to be split
//   input/<split>/<class>/…/<image>    given splits are kept; train must be among them
//   input/test/<image>                 no class folders inside: unlabelled samples of the split test
//
// An image's class is by default the first folder below the split (or the input), however deep it lies in there; a note
// says so where there are deeper ones. With ClassDepth::deepest it is the folder that holds the image itself, named by
// its path below the split: "animals/cat", so that equal names in different branches stay apart. There a folder with
// class folders below it is a class of its own only if an image with an extension lies in it (a note lists these);
// files without one, such as LICENSE, make none there.
//
// Split folders are train, val, valid, validation and test, and those that folder_as maps; other splits than train and
// validation may be unlabelled. Classes are numbered in byte order of their names; each split may hold only classes
// that train has. Hidden files and folders are skipped; other files that are not images by their extension, or lie
// outside any class, are candidates with a refusal, so that nothing is passed over in silence. Links are followed.
// Errors: missing input, no images, a class folder (deepest: any folder) without images, a class without training
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
  ClassFolders(std::filesystem::path input, std::map<std::string, std::string> folder_as,
               ClassDepth depth = ClassDepth::first);

  Listing list() override;
  Picture picture(std::int64_t id, const Candidate& candidate, const PictureRequest& request) const override;
  std::filesystem::path file_of(std::int64_t id, const Candidate& candidate) const override;

 private:
  std::filesystem::path input_;
  std::map<std::string, std::string> folder_as_;  // given folder → split
  ClassDepth depth_;
};

}  // namespace lockstep::preprocess
