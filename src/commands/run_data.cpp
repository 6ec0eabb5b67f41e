#include "commands/run_data.hpp"

#include <fmt/format.h>

#include "commands/ranks.hpp"
#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

/// Images packed at another side are scaled on the way; other classes or channels mean other labels and inputs.
void check_fits(const Member& run, const Manifest& manifest, const std::filesystem::path& folder) {
  std::string difference = class_difference(run.classes, manifest.classes);
  if (difference.empty() && manifest.shape.channels != run.packed.channels) {
    difference = fmt::format("{} channel{}, the run was trained on {}", manifest.shape.channels,
                             manifest.shape.channels == 1 ? "" : "s", run.packed.channels);
  }
  if (difference.empty()) return;
  throw Error("the data set has " + difference, folder.string(),
              "give one with the classes of the run, in the same order, with --data");
}

/// A run knows where its data set lay. Named with --data, a missing one is a mistyped path; else it may have moved.
void check_still_there(const std::filesystem::path& folder, bool named) {
  if (named || std::filesystem::exists(folder)) return;
  throw Error("no such data set", folder.string(),
              "the run was trained on the one there: say with --data where it is now");
}

/// Whether it is the data set of all runs. Packed anew, a split may hold images that a run was trained on: a better
/// score than the model deserves.
bool check_same_data(const std::vector<Member>& runs, const Manifest& manifest, const std::filesystem::path& folder,
                     bool named, const Log& log) {
  const std::string digest = manifest.digest();
  if (digest != runs.front().data_digest && !named) {
    throw Error("the data set is not the one this run was trained on, though it lies in the same place",
                folder.string(), "name it with --data to judge on it all the same");
  }
  for (const Member& run : runs) {
    if (run.data_digest == digest) continue;
    log.info(
        fmt::format("note: this is not the data set {} was trained on; samples it was trained on may be among these",
                    runs.size() == 1 ? "the run" : run.name));
  }
  return digest == runs.front().data_digest;
}

}  // namespace

RunData open_run_data(const std::vector<Member>& runs, const std::filesystem::path& named, World& world,
                      const Log& log) {
  RunData data{named.empty() ? std::filesystem::path(runs.front().data) : named, {}};
  if (world.rank() == 0) check_still_there(data.folder, !named.empty());
  data.manifest = shared_manifest(world, data.folder);
  for (const Member& run : runs) check_fits(run, data.manifest, data.folder);
  data.same = check_same_data(runs, data.manifest, data.folder, !named.empty(), log);
  return data;
}

JudgedImages::JudgedImages(const Committee& committee, const RunData& data, const std::string& split,
                           std::int64_t threads, TestTimeFlips flips)
    : images(std::make_shared<OpenSplit>(data.folder, data.manifest, split)),
      members(threads, flips),
      mean(threads, flips) {
  for (const Member& member : committee.members()) members.add(member, images);
  for (const Member& member : committee.asked()) mean.add(member, images);
}

}  // namespace lockstep
