#include "preprocess/image_folder.hpp"

#include <algorithm>

#include "lockstep/core/error.hpp"
#include "preprocess/image_files.hpp"

namespace lockstep::preprocess {

ImageFolder::ImageFolder(std::filesystem::path input, std::string split)
    : input_(std::move(input)), split_(std::move(split)) {
  if (!std::filesystem::is_directory(input_))
    throw Error("no such folder", input_.string(), "name the folder with the images");
}

Listing ImageFolder::list() {
  Listing listing;
  const SharedText split = split_, no_image = no_image_extension;
  for (const std::string& file : files_below(input_)) {
    const bool image = may_be_image(file);
    listing.candidates.push_back({file, image ? split : SharedText(), image ? SharedText() : no_image, -1});
  }
  if (std::ranges::all_of(listing.candidates, [](const Candidate& file) { return !file.refusal.empty(); }))
    throw Error("no image in this folder or below", input_.string(), "check --input");
  return listing;
}

std::filesystem::path ImageFolder::file_of(std::int64_t, const Candidate& candidate) const {
  return input_ / candidate.path.view();
}

Picture ImageFolder::picture(std::int64_t, const Candidate& candidate, const PictureRequest& request) const {
  return read_picture(input_ / candidate.path.view(), request);
}

}  // namespace lockstep::preprocess
