// A trained network with all it takes to show it images as in training: from a run's folder, or from a weight file.
//
// Every rank makes its own, reading the same files. Internal to src/commands. Errors: no such run or file, weights that
// are not there yet or of another network; a file that says neither network nor input, where nothing else does.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "lockstep/config/options.hpp"
#include "lockstep/core/log.hpp"
#include "lockstep/data/image_transform.hpp"
#include "lockstep/model/model.hpp"

namespace lockstep {

struct Member {
  std::string name;  ///< the folder or file, as it was said
  std::shared_ptr<Model> model;
  std::string network;               ///< its kind
  std::vector<std::string> classes;  ///< [label]
  ImageShape packed;                 ///< how its images were, or are to be, packed
  std::string resize;                ///< how packing brings them to that size
  std::int64_t side = 0, eval_resize = 0;
  ChannelScale scale;
  std::string data, data_digest;  ///< of the run's data set; empty for a weight file
};

/// `which`: best or last.
Member member_of_run(const std::filesystem::path& run, const std::string& which);

/// `options`: of predict, whose --model, --side, --eval-resize and --class-names win over what the file says.
Member member_of_file(const std::filesystem::path& file, const Options& options, const Log& log);

/// Where two lists of classes part, as a clause about `given`; empty: they are the same.
std::string class_difference(const std::vector<std::string>& trained, const std::vector<std::string>& given);

/// Errors: members that name different things.
void require_same_classes(const std::vector<Member>& members);

}  // namespace lockstep
