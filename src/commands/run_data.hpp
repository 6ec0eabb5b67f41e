// The data set that runs are judged on: their own, or another one of the same classes that was named.
//
// Every rank calls it together; rank 0 reads the manifest. Internal to src/commands. Errors: a data set that is gone,
// another one in its place, other classes or channels than a run was trained on.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "commands/committee.hpp"
#include "lockstep/comm/world.hpp"
#include "lockstep/core/log.hpp"
#include "lockstep/data/manifest.hpp"

namespace lockstep {

struct RunData {
  std::filesystem::path folder;
  Manifest manifest;
  bool same = true;  ///< it is the one the first run was trained on; of others a note has been said
};

/// `named`: the value of --data; empty: that of the first run.
RunData open_run_data(const std::vector<Member>& runs, const std::filesystem::path& named, World& world,
                      const Log& log);

/// A split of it, for members and for the network that is made of them where one is.
struct JudgedImages {
  JudgedImages(const Committee& committee, const RunData& data, const std::string& split, std::int64_t threads,
               TestTimeFlips flips);

  std::shared_ptr<const OpenSplit> images;
  ShownImages members, mean;
};

}  // namespace lockstep
