// The samples of a split as several members are shown them: each with its own transform, from the packing it can use.
//
// Owns splits and transforms, to which its scorers refer, so it stays where it is made. Internal to src/commands.
// Errors: those of opening a split; images of another number of channels than a member takes.
#pragma once
#include <deque>
#include <filesystem>
#include <memory>
#include <vector>

#include "commands/members.hpp"
#include "lockstep/evaluate/ensemble.hpp"

namespace lockstep {

/// A split of a packed data set, open.
struct OpenSplit {
  OpenSplit(const std::filesystem::path& where, Manifest of, const std::string& name)
      : folder(where), manifest(std::move(of)), split(where, manifest, name) {}
  OpenSplit(const OpenSplit&) = delete;
  OpenSplit& operator=(const OpenSplit&) = delete;

  std::filesystem::path folder;
  Manifest manifest;
  DataSplit split;
};

class ShownImages {
 public:
  ShownImages(std::int64_t threads, TestTimeFlips flips) : threads_(threads), flips_(flips) {}
  ShownImages(const ShownImages&) = delete;
  ShownImages& operator=(const ShownImages&) = delete;

  /// The next member sees these.
  void add(const Member& member, std::shared_ptr<const OpenSplit> images);
  const std::vector<Scorer>& scorers() const { return scorers_; }

 private:
  std::int64_t threads_;
  TestTimeFlips flips_;
  std::vector<std::shared_ptr<const OpenSplit>> splits_;
  std::deque<ImageTransform> transforms_;
  std::vector<Scorer> scorers_;  // [member]
};

/// The value of --test-time-flips.
TestTimeFlips flips_of(const Options& options);

}  // namespace lockstep
